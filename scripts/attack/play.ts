import { setTimeout as delay } from "node:timers/promises";

import type { Mix } from "./attack.ts";
import { startAttacker } from "./attacker.ts";
import { miscounted } from "./count.ts";
import { type SentCount, startHonest } from "./honest.ts";
import { type AttackFigures, judge, type Phases, type Promises, tooBusy } from "./judge.ts";
import { figuresOf, type Sample } from "./samples.ts";
import { type Service, startService } from "./service.ts";
import { sumTallies, type Tally } from "./tally.ts";
import { revokeAndUse, startWatch } from "./watch.ts";
import { forgetBacklog, hasDrained, type World } from "./world.ts";

/** How an attack went. */
export interface Result {
  readonly name: string;
  readonly figures: AttackFigures;
  /** Every promise that it broke. */
  readonly failures: ReadonlyArray<string>;
  /** Why times were not judged; empty if they were. */
  readonly busy: ReadonlyArray<string>;
  readonly tally: Tally;
  /** How much of a processor the service used while the attack went on. */
  readonly processorShare: number;
  /** For how much of that time its main threads could have run and had no processor. */
  readonly waitingShare: number;
  /** The most sessions of the database that did something at a time. */
  readonly busySessionsMax: number;
}

export interface PlayOptions {
  readonly world: World;
  /** How long the attack goes on. */
  readonly seconds: number;
  /** How long honest clients are measured before it, and after it. */
  readonly calmSeconds: number;
  readonly rolesApart: boolean;
  readonly promises: Promises;
  /** Everything that is started is undone by these. */
  readonly onService: (service: Service | undefined) => void;
  readonly show: (sentence: string) => void;
}

const HONEST = { postsPerSecond: 20, readsPerSecond: 20 };

/** How long the service and its clients run before anything is measured. */
const WARM_UP_MS = 3_000;

/** By then everything must be as it was before the attack. */
const RECOVERED_AFTER_MS = 1_000;

/** A service that does not answer for so long after an attack is given up; the promises say so already. */
const ANSWERS_WITHIN_MS = 10_000;

/** How long after its time an attacker leaves that nobody stops, because this process is gone. */
const LEAVES_BY_ITSELF_SECONDS = 30;

const COUNTED_WITHIN_MS = 60_000;
const DRAINED_WITHIN_MS = 120_000;

/** After this time of an attack a key is revoked, in milliseconds; a short one is not over by then. */
const revokedAfterMs = (seconds: number): number => (seconds * 1_000) / 3;

/** Plays an attack, or several at once, on a service of its own, and judges what honest clients saw of it. */
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
  // From here on, and not from when all of them are there: some begin before others.
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

/** Whether a service answers at all, now that nobody attacks it any more. */
const answers = async ({ url }: Service): Promise<boolean> => {
  const signal = AbortSignal.timeout(ANSWERS_WITHIN_MS);
  return fetch(`${url}/healthz`, { signal }).then(
    ({ ok }) => ok,
    () => false,
  );
};

/**
 * Counts what was accepted, on a next service if that one died or hangs, and leaves the database ready for the next
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
  const drained = await hasDrained(world.database, DRAINED_WITHIN_MS);
  await last.stop();
  if (drained) return problems;
  await forgetBacklog(world.database);
  const seconds = DRAINED_WITHIN_MS / 1_000;
  return [...problems, `what the attacker left behind was not counted within ${seconds} s`];
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

/** Looks once a second how many sessions of the database do something. */
const watchSessions = ({ database }: World) => {
  let busyMax = 0;
  let asking: Promise<void> = Promise.resolve();
  const look = async (): Promise<void> => {
    // A server that cannot be asked is for the promises to tell.
    const [row] = await database.query<{ busy: number }>(BUSY).catch(() => []);
    busyMax = Math.max(busyMax, row?.busy ?? 0);
  };
  const timer = setInterval(() => {
    asking = look();
  }, 1_000);
  return {
    stop: async (): Promise<number> => {
      clearInterval(timer);
      await asking;
      return busyMax;
    },
  };
};
