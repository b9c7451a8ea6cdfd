import { setTimeout as delay } from "node:timers/promises";

import { makeHttpClient } from "../http_client.ts";
import {
  endlessActivity,
  type LoadGenerator,
  type LoadProfile,
  makeLoadGenerator,
} from "../load_generator.ts";
import type { Scenario, Scene } from "../scenario.ts";

/** Where the one tenant comes from: without keys an address is what tells it from the others. */
const FLOODER_ADDRESS = "127.0.0.2";
const FLOODER = "flooder";

const FLOOD: LoadProfile = { clients: 16, batchMax: 1_000, pauseMaxMs: 0, copiedShare: 0 };

/** More would only make the judge's work longer. */
const FLOOD_MAX_MS = 20_000;

/** Bounds that the flood passes within a second of a worker's silence, so that somebody has to be refused. */
const BOUNDS = { ENQUEUE_BUFFER_BYTES_MAX: "4194304", QUEUE_DEPTH_MAX: "20000" };

const QUIET = "quiet";
const QUIET_LOAD: LoadProfile = { clients: 2, batchMax: 10, pauseMaxMs: 100, copiedShare: 0 };

/** How long the worker stands still: who is refused all that time waits longer than a quiet tenant may. */
const FROZEN_MS = 5_000;
const QUIET_ACCEPTED_WITHIN_MS = 3_000;

const READERS = 12;
const READ_DAYS = 400;
const READ_TIMEOUT_MS = 5_000;
const DAY_MS = 86_400_000;

/** A process that was just killed refuses at once; asking again at once would keep this one busy. */
const REFUSED_REST_MS = 50;

/** While one tenant sends and reads all that it can, what the others send is accepted soon. */
export const oneTenantCannotStarve: Scenario = {
  name: "one-tenant-cannot-starve",
  about:
    "one tenant floods posts past every bound and reads 400 days a dozen at a time, while worker and projector are frozen and killed",
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
    if (!failures.has("503")) scene.fail("the flood was never refused: nobody was kept waiting");
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

/** Reads ranges that nobody has read before, as many at a time as there are readers. */
const startReading = (url: string) => {
  const client = makeHttpClient(READ_TIMEOUT_MS, { localAddress: FLOODER_ADDRESS });
  const state = { stopping: false };
  const startedAt = Date.now();
  let reads = 0;
  const readOn = async (): Promise<void> => {
    while (!state.stopping) {
      const to = startedAt - reads++;
      const from = to - READ_DAYS * DAY_MS;
      const range = `from=${new Date(from).toISOString()}&to=${new Date(to).toISOString()}`;
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
