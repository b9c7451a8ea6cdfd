import { setTimeout as delay } from "node:timers/promises";

import { drain } from "../testbed/direct_database.ts";
import type { Mix } from "./attack.ts";
import { startAttacker } from "./attacker.ts";
import { miscounted } from "./count.ts";
import { type SentCount, startHonest } from "./honest.ts";
import { type AttackFigures, judge, type Phases, type Promises, tooBusy } from "./judge.ts";
import { figuresOf, type Sample } from "./samples.ts";
import { type Service, startService } from "./service.ts";
import { revokeAndUse, startWatch } from "./watch.ts";
import { sumTallies, type Tally } from "./wire.ts";
import { forgetBacklog, type World } from "./world.ts";

/** The result of an attack. */
export interface Result {
  readonly name: string;
  readonly figures: AttackFigures;
  /** The promises that it broke. */
  readonly failures: ReadonlyArray<string>;
  /** Why its times were not judged; empty if they were. */
  readonly busy: ReadonlyArray<string>;
  readonly tally: Tally;
  /** The share of a processor that the service used during the attack. */
  readonly processorShare: number;
  /** The share of that time in which its main threads were ready to run without a processor. */
  readonly waitingShare: number;
  /** The most concurrent busy sessions of the database. */
  readonly busySessionsMax: number;
}

export interface PlayOptions {
  readonly world: World;
  /** The duration of the attack. */
  readonly seconds: number;
  /** How long honest clients are measured before and after it. */
  readonly calmSeconds: number;
  readonly rolesApart: boolean;
  readonly promises: Promises;
  /** Called with the service that runs, so that it can be stopped early. */
  readonly onService: (service: Service | undefined) => void;
  readonly show: (sentence: string) => void;
}

const HONEST = { postsPerSecond: 20, readsPerSecond: 20 };

/** How long the service and its clients run before they are measured. */
const WARM_UP_MS = 3_000;

/** When the service must have recovered from the attack. */
const RECOVERED_AFTER_MS = 1_000;

/** A service that does not answer for this time after an attack is replaced. Its promises are broken anyway. */
const ANSWERS_WITHIN_MS = 10_000;

/** When an attacker ends by itself, should this process have died: this long after the attack. */
const LEAVES_BY_ITSELF_SECONDS = 30;

const COUNTED_WITHIN_MS = 60_000;
const DRAINED_WITHIN_MS = 120_000;

/** When a key is revoked, in milliseconds after the start of an attack. */
const revokedAfterMs = (seconds: number): number => (seconds * 1_000) / 3;

/** Plays one attack or a mix on a new service, and judges what honest clients saw of it. */
export const play = async (attack: Mix, options: PlayOptions): Promise<Result> => {
  const { world, seconds, calmSeconds, promises, show } = options;
  const { name } = attack;
  const start = async (suffix: string): Promise<Service> => {
    const service = await startService({
      rolesApart: options.rolesApart,
      environment: world.environment,
      folder: world.folder,
      name: `${name}${suffix}`,
    });
    options.onService(service);
    return service;
  };

  show(`${name}: starting`);
  const service = await start("");
  const { url, host, port } = service;
  const honest = startHonest(url, world.tenants, HONEST);
  const watch = startWatch(url);
  const revocable = await world.makeRevocableKey();
  const gone = new AbortController();
  await delay(WARM_UP_MS);
  const beforeAt = performance.now();
  show(`${name}: before`);
  await delay(calmSeconds * 1_000);

  show(`${name}: under attack`);
  const sessions = watchSessions(world);
  const target = { host, port, share: attack.share, ...world.attacker };
  // Measured from here, because some attackers begin before others.
  const duringAt = performance.now();
  const cpuBefore = sumOf(service, "cpuSeconds");
  const waitedBefore = sumOf(service, "waitedSeconds");
  const secondsMax = seconds + LEAVES_BY_ITSELF_SECONDS;
  const attackers = await Promise.all(
    attack.parts.map((part) => startAttacker(part, target, secondsMax)),
  );
  const revoking = delay(revokedAfterMs(seconds)).then(() =>
    revokeAndUse({ url, ...revocable, signal: gone.signal }),
  );
  await sleepWhile(() => service.isAlive(), seconds * 1_000);
  const attackedSeconds = (performance.now() - duringAt) / 1_000;
  const processorShare = (sumOf(service, "cpuSeconds") - cpuBefore) / attackedSeconds;
  const waitingShare = (sumOf(service, "waitedSeconds") - waitedBefore) / attackedSeconds;
  const tally = sumTallies(await Promise.all(attackers.map((attacker) => attacker.stop())));
  const afterAt = performance.now() + RECOVERED_AFTER_MS;

  show(`${name}: after`);
  await sleepWhile(() => service.isAlive(), RECOVERED_AFTER_MS + calmSeconds * 1_000);
  const end = performance.now();
  if (!service.isAlive()) gone.abort();
  const busySessionsMax = await sessions.stop();
  await Promise.all([honest.stop(), watch.stop()]);
  const refusedAfterMs = await revoking;
  const processes = service.figures();

  show(`${name}: counting`);
  const phases = (samples: ReadonlyArray<Sample>, expected: number): Phases => ({
    before: figuresOf(samples, expected, beforeAt, duringAt),
    during: figuresOf(samples, expected, duringAt, afterAt),
    after: figuresOf(samples, expected, afterAt, end),
  });
  const counted = await count(world, honest.sent, service, start);
  options.onService(undefined);
  const figures: AttackFigures = {
    posts: phases(honest.posts, 202),
    reads: phases(honest.reads, 200),
    readyz: phases(watch.readyz, 200),
    healthz: phases(watch.healthz, 200),
    revokedAfterMs: refusedAfterMs,
    processes,
    miscounted: counted,
  };
  return {
    name,
    figures,
    failures: judge(figures, promises),
    busy: tooBusy(figures, promises),
    tally,
    processorShare,
    waitingShare,
    busySessionsMax,
  };
};

/** Whether a service answers after the attack. */
const answers = async ({ url }: Service): Promise<boolean> => {
  const signal = AbortSignal.timeout(ANSWERS_WITHIN_MS);
  return fetch(`${url}/healthz`, { signal }).then(
    ({ ok }) => ok,
    () => false,
  );
};

/**
 * Checks the counts of what was accepted, on a new service if this one died or hangs, and empties the backlog for the next
 * attack.
 */
const count = async (
  world: World,
  sent: ReadonlyMap<string, SentCount>,
  service: Service,
  start: (suffix: string) => Promise<Service>,
): Promise<ReadonlyArray<string>> => {
  let last = service;
  if (!service.isAlive() || !(await answers(service))) {
    await service.stop();
    last = await start("-next");
  }
  const problems = await miscounted(last.url, sent, COUNTED_WITHIN_MS);
  const left = await drain(world.database, DRAINED_WITHIN_MS);
  await last.stop();
  if (left === undefined) return problems;
  await forgetBacklog(world.database);
  const seconds = DRAINED_WITHIN_MS / 1_000;
  return [...problems, `${left} of the attacker were not counted within ${seconds} s`];
};

const SLEEP_CHECK_MS = 50;

const sleepWhile = async (goesOn: () => boolean, ms: number): Promise<void> => {
  const end = performance.now() + ms;
  while (goesOn() && performance.now() < end) {
    await delay(Math.min(SLEEP_CHECK_MS, end - performance.now()));
  }
};

const sumOf = (service: Service, key: "cpuSeconds" | "waitedSeconds"): number =>
  service.figures().reduce((sum, figures) => sum + figures[key], 0);

const BUSY = `
  select count(*)::int as busy from pg_stat_activity
  where datname = current_database() and state <> 'idle' and pid <> pg_backend_pid()`;

/** Counts the busy sessions of the database once a second. */
const watchSessions = ({ database }: World) => {
  let busyMax = 0;
  let sampling: Promise<void> = Promise.resolve();
  const sample = async (): Promise<void> => {
    // If the database does not answer, the promises show it.
    const [row] = await database.query<{ busy: number }>(BUSY).catch(() => []);
    busyMax = Math.max(busyMax, row?.busy ?? 0);
  };
  const timer = setInterval(() => {
    sampling = sample();
  }, 1_000);
  return {
    stop: async (): Promise<number> => {
      clearInterval(timer);
      await sampling;
      return busyMax;
    },
  };
};
