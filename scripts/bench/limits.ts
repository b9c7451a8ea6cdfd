import { setTimeout as delay } from "node:timers/promises";

import pg from "pg";

import { followEvents } from "./follow_events.ts";
import { startLoad } from "./load.ts";
import { type OpenLoad, sendOpenLoad } from "./open_load.ts";
import type { Case, CaseOptions, Figure } from "./report.ts";
import { median, percentile, ratios } from "./statistics.ts";
import { startChild, withService } from "./with_service.ts";

const SLOW = "scripts/bench/slow_clients_process.ts";
const SLOW_CLIENTS = 1_000;
const QUIET: OpenLoad = { requestsPerSecond: 100, seconds: 8, eventsPerRequest: 10 };

/** Healthy clients alone, and beside a thousand that send a byte of their headers per second. */
const slowClients = async ({ runs }: CaseOptions): Promise<Figure[]> =>
  withService({}, async ({ found: url }) => {
    const alone: number[] = [];
    const beside: number[] = [];
    await sendOpenLoad(url, QUIET);
    for (let run = 0; run < runs; run++) {
      alone.push((await sendOpenLoad(url, QUIET)).p99);
      const slow = await startChild(SLOW, [url, String(SLOW_CLIENTS)], {}, /^(ready)$/);
      beside.push((await sendOpenLoad(url, QUIET)).p99);
      await slow.stop();
    }
    return [
      { name: "POST /events of healthy clients, p99", unit: "ms", runs: alone },
      { name: `the same beside ${SLOW_CLIENTS} slow clients, p99`, unit: "ms", runs: beside },
      {
        name: "beside slow clients against alone",
        unit: "×",
        runs: [median(beside) / median(alone)],
        goal: { text: "≤ 3 ×", met: (ratio) => ratio <= 3 },
      },
    ];
  });

const EVENTS_PER_REQUEST = 100;
const OVERLOAD_SECONDS = 15;
const OVERLOAD_FACTOR = 10;

/** The highest rate, then ten times as much, and whether everything accepted is counted. */
const overload = async ({ runs, say }: CaseOptions): Promise<Figure[]> =>
  withService(
    { QUEUE_DEPTH_MAX: "50000", LAG_EVENTS_MAX: "50000" },
    async ({ found: url }, databaseUrl) => {
      const client = new pg.Client({ connectionString: databaseUrl });
      await client.connect();
      const counted = async (): Promise<number> => {
        const { rows } = await client.query(
          "select coalesce(sum(events), 0)::float8 as events from read_models.activity_by_type",
        );
        return rows[0].events as number;
      };
      const drained = async (accepted: number): Promise<number> => {
        const since = performance.now();
        while ((await counted()) < accepted && performance.now() - since < 120_000) {
          await delay(100);
        }
        return counted();
      };
      const peak: number[] = [];
      const goodput: number[] = [];
      let accepted = 0;
      // How many events per second are counted while requests come at this rate.
      const measure = async (requestsPerSecond: number): Promise<number> => {
        const before = await counted();
        const load = await sendOpenLoad(url, {
          requestsPerSecond,
          seconds: OVERLOAD_SECONDS,
          eventsPerRequest: EVENTS_PER_REQUEST,
        });
        accepted += load.accepted;
        say(
          `${Math.round(requestsPerSecond)} requests/s: ${load.accepted} events accepted, ${load.refused} requests refused`,
        );
        // During the load only, without the backlog before and after it.
        return ((await counted()) - before) / load.seconds;
      };
      await measure(50);
      await drained(accepted);
      let capacity = 0;
      // Until a higher rate does not count more events.
      for (let requests = 150; ; requests += 50) {
        const rate = await measure(requests);
        await drained(accepted);
        const isMore = rate > capacity * 1.05;
        capacity = Math.max(capacity, rate);
        if (!isMore) break;
      }
      for (let run = 0; run < runs; run++) {
        peak.push(await measure((capacity * 1.1) / EVENTS_PER_REQUEST));
        await drained(accepted);
        goodput.push(await measure((capacity * OVERLOAD_FACTOR) / EVENTS_PER_REQUEST));
        await drained(accepted);
      }
      const lost = accepted - (await drained(accepted));
      await client.end();
      return [
        { name: "events counted at the peak", unit: "events/s", runs: peak },
        { name: `the same at ${OVERLOAD_FACTOR} times the load`, unit: "events/s", runs: goodput },
        {
          name: "goodput under overload against the peak",
          unit: "×",
          runs: ratios(goodput, peak),
          goal: { text: "≥ 0.8 ×", met: (ratio) => ratio >= 0.8 },
        },
        {
          name: "accepted and not counted afterwards",
          unit: "events",
          runs: [lost],
          goal: { text: "0", met: (events) => events === 0 },
        },
      ];
    },
  );

const QUIET_ACCOUNTS = 10;
const FLOOD_SECONDS = 15;

/** The flood is far more than the service can process, so that a backlog builds up. */
const FLOOD_EVENTS = 1_000;
const FLOOD_CLIENTS = 16;

/** How soon ten quiet tenants see their events, alone and while another floods the service. */
const flood = ({ runs }: CaseOptions): Promise<Figure[]> =>
  withService({}, async ({ found: url }) => {
    const follow = () => followEvents([url], "quiet", QUIET_ACCOUNTS, FLOOD_SECONDS);
    const alone: number[] = [];
    const beside: number[] = [];
    await follow();
    for (let run = 0; run < runs; run++) {
      alone.push(percentile(await follow(), 0.99));
      const flooding = await startLoad(url, FLOOD_EVENTS, FLOOD_CLIENTS, "flood");
      beside.push(percentile(await follow(), 0.99));
      await flooding.stop();
    }
    return [
      { name: "from the 202 until shown, ten quiet tenants alone, p99", unit: "ms", runs: alone },
      {
        name: "the same while another one floods the service, p99",
        unit: "ms",
        runs: beside,
        goal: { text: "≤ 3,000 ms", met: (ms) => ms <= 3_000 },
      },
    ];
  });

export const limitCases: ReadonlyArray<Case> = [
  {
    name: "limits.slow_clients",
    about: "healthy clients beside a thousand that never finish their headers",
    run: slowClients,
  },
  {
    name: "limits.overload",
    about: "ten times the highest rate, and whether everything accepted is counted",
    run: overload,
  },
  {
    name: "flood",
    about: "ten quiet tenants while another tenant sends as much as it can",
    run: flood,
  },
];
