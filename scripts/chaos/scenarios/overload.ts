import { setTimeout as delay } from "node:timers/promises";

import { DAY_MS } from "../../../core/time.ts";
import { makeHttpClient, rangeQuery } from "../../testbed/http_client.ts";
import {
  endlessActivity,
  type LoadGenerator,
  type LoadProfile,
  makeLoadGenerator,
} from "../load_generator.ts";
import type { Scenario, Scene } from "../scenario.ts";

/** More than two cores can process. */
const OVERLOAD: LoadProfile = { clients: 48, batchMax: 600, pauseMaxMs: 0, copiedShare: 0 };

/** A longer flood would only make judging slower. */
const OVERLOAD_MAX_MS = 12_000;

/** Limits that a flood exceeds within seconds, so that requests are refused. */
const BOUNDS = { ENQUEUE_BUFFER_BYTES_MAX: "4194304", QUEUE_DEPTH_MAX: "20000" };

/** What exceeds a limit is refused with 503, and never accepted and lost, even if the database crashes. */
export const overloadRefuses: Scenario = {
  name: "overload-refuses",
  about: "a flood beyond every limit, while the worker is frozen and Postgres crashes",
  load: OVERLOAD,
  run: async (scene) => {
    const { api, worker } = scene.roles;
    const partMs = Math.min(OVERLOAD_MAX_MS, scene.leftMs()) / 3;
    api.configure(BOUNDS);
    await api.kill();
    scene.killed();
    await api.ready();
    worker.signal("SIGSTOP");
    scene.broke();
    await delay(partMs);
    await scene.postgres.restart("SIGQUIT");
    scene.killed();
    await delay(partMs);
    worker.signal("SIGCONT");
    await delay(partMs);
    api.configure({});
    await api.kill();
    scene.killed();
  },
};

/** Without keys the address of a client is its principal. */
const FLOODER_ADDRESS = "127.0.0.2";
const FLOODER = "flooder";

const FLOOD: LoadProfile = { clients: 16, batchMax: 1_000, pauseMaxMs: 0, copiedShare: 0 };

/** A longer flood would only make judging slower. */
const FLOOD_MAX_MS = 20_000;

const QUIET = "quiet";
const QUIET_LOAD: LoadProfile = { clients: 2, batchMax: 10, pauseMaxMs: 100, copiedShare: 0 };

/** Longer than a quiet tenant may wait, should it be refused for that time. */
const FROZEN_MS = 5_000;
const QUIET_ACCEPTED_WITHIN_MS = 3_000;

const READERS = 12;
const READ_DAYS = 400;
const READ_TIMEOUT_MS = 5_000;

/** Avoids a busy loop while a killed process refuses connections. */
const REFUSED_REST_MS = 50;

/** While one tenant sends and reads as much as it can, the batches of the others are accepted soon. */
export const oneTenantCannotStarve: Scenario = {
  name: "one-tenant-cannot-starve",
  about:
    "one tenant posts beyond every limit and reads 400 days twelve times concurrently, while worker and projector are frozen and killed",
  weight: 3,
  run: async (scene) => {
    const { api, worker, projector } = scene.roles;
    api.configure(BOUNDS);
    await api.kill();
    scene.killed();
    await api.ready();
    const flood = startLoad(scene, FLOODER, FLOOD, FLOODER_ADDRESS);
    const quiet = startLoad(scene, QUIET, QUIET_LOAD);
    const reading = startReading(api.url);
    const until = performance.now() + Math.min(FLOOD_MAX_MS, scene.leftMs());
    try {
      do {
        worker.signal("SIGSTOP");
        scene.broke();
        await delay(FROZEN_MS);
        await Promise.all([worker.kill(), projector.kill()]);
        scene.killed();
        scene.killed();
        await Promise.all([worker.ready(), projector.ready()]);
      } while (performance.now() < until);
      await quiet.stop();
    } finally {
      await quiet.close();
      await reading.stop();
      await flood.stop();
      await flood.close();
    }
    judgeQuiet(scene, quiet);
    const { abandoned, failures } = flood.takeFigures();
    if (abandoned > 0) scene.fail(`${abandoned} batches of the flood were never accepted`);
    if (!failures.has("503")) scene.fail("the flood was never refused, so it tested nothing");
    api.configure({});
    await api.kill();
    scene.killed();
  },
};

const judgeQuiet = ({ fail, note }: Scene, quiet: LoadGenerator): void => {
  const { slowestAcceptedMs, abandoned, failures } = quiet.takeFigures();
  const seen = [...failures].map(([name, count]) => `${name} × ${count}`);
  const slowest =
    `the slowest batch of a quiet tenant was accepted after ${Math.round(slowestAcceptedMs)} ms` +
    (seen.length === 0 ? "" : ` (${seen.join(", ")})`);
  if (abandoned > 0) fail(`${abandoned} batches of a quiet tenant were never accepted`);
  if (slowestAcceptedMs > QUIET_ACCEPTED_WITHIN_MS) fail(slowest);
  else note(slowest);
};

const startLoad = (
  { ledger, random, roles }: Scene,
  accountId: string,
  profile: LoadProfile,
  localAddress?: string,
): LoadGenerator => {
  const seed = Math.floor(random() * 1_000_000);
  const load = makeLoadGenerator({
    ledger,
    random,
    events: endlessActivity(seed, Date.now(), accountId),
    ...(localAddress === undefined ? {} : { localAddress }),
  });
  load.sendTo([roles.api.url]);
  load.start(profile);
  return load;
};

/** Reads a new range with each request, so that no answer is cached. */
const startReading = (url: string) => {
  const client = makeHttpClient(READ_TIMEOUT_MS, { localAddress: FLOODER_ADDRESS });
  const state = { stopping: false };
  const startedAt = Date.now();
  let reads = 0;
  const readOn = async (): Promise<void> => {
    while (!state.stopping) {
      const to = startedAt - reads++;
      const range = rangeQuery(to - READ_DAYS * DAY_MS, to);
      const { _tag } = await client.get(`${url}/accounts/${FLOODER}/summary?${range}`);
      if (_tag === "Refused") await delay(REFUSED_REST_MS);
    }
  };
  const running = Promise.all(Array.from({ length: READERS }, readOn));
  return {
    stop: async (): Promise<void> => {
      state.stopping = true;
      await running;
      client.close();
    },
  };
};
