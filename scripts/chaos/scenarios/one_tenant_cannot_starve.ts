import { makeHttpClient } from "../http_client.ts";
import { endlessActivity, type Load, type LoadProfile, makeLoad } from "../load.ts";
import { pick } from "../random.ts";
import type { Scenario, Scene } from "../scenario.ts";

/** Where the one tenant comes from: without keys an address is what tells it from the others. */
const FLOODER_ADDRESS = "127.0.0.2";
const FLOODER = "flooder";

const FLOOD: LoadProfile = { clients: 16, batchMax: 1_000, pauseMaxMs: 0, copiedShare: 0 };

/** More would only make the judge's work longer. */
const FLOOD_MAX_MS = 20_000;

/** Bounds that the flood passes within seconds, so that somebody has to be refused. */
const BOUNDS = { ENQUEUE_BUFFER_EVENTS_MAX: "10000", QUEUE_DEPTH_MAX: "20000" };

/** Two starts of the API, each with a machine at its limit, and room for the tries in between. */
const OTHERS_ACCEPTED_WITHIN_MS = 10_000;

const READERS = 12;
const READ_DAYS = 400;
const READ_TIMEOUT_MS = 5_000;
const DAY_MS = 86_400_000;

/** While one tenant sends and reads all that it can, what the others send is accepted soon. */
export const oneTenantCannotStarve: Scenario = {
  name: "one-tenant-cannot-starve",
  about:
    "one tenant floods posts past every bound and reads 400 days a dozen at a time, while processes are killed",
  weight: 3,
  acceptedWithinMs: OTHERS_ACCEPTED_WITHIN_MS,
  run: async (scene) => {
    const { api } = scene.roles;
    api.configure(BOUNDS);
    await api.kill();
    scene.killed();
    await api.ready();
    const flood = startFlood(scene);
    const reading = startReading(api.url);
    const until = performance.now() + Math.min(FLOOD_MAX_MS, scene.leftMs());
    try {
      do {
        const role = pick(scene.random, Object.values(scene.roles));
        await scene.rest(2_000);
        await role.kill();
        scene.killed();
        await role.ready();
      } while (performance.now() < until);
    } finally {
      await reading.stop();
      await flood.stop();
      await flood.close();
    }
    const { abandoned } = flood.takeFigures();
    if (abandoned > 0) scene.fail(`${abandoned} batches of the flood were never accepted`);
    api.configure({});
    await api.kill();
    scene.killed();
  },
};

const startFlood = ({ ledger, random, roles }: Scene): Load => {
  const seed = Math.floor(random() * 1_000_000);
  const flood = makeLoad({
    ledger,
    random,
    localAddress: FLOODER_ADDRESS,
    events: endlessActivity(seed, Date.now(), FLOODER),
  });
  flood.sendTo([roles.api.url]);
  flood.start(FLOOD);
  return flood;
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
      // A process that was just killed refuses at once.
      if (_tag === "Refused") await new Promise((resolve) => setTimeout(resolve, 50));
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
