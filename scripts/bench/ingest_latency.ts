import { waitSecondsOf } from "./cpu_time.ts";
import { followEvents } from "./follow_events.ts";
import { sendFromElsewhere } from "./load.ts";
import { BACKLOG_BOUNDS, measureIngest } from "./measure_ingest.ts";
import type { OpenLoadResult } from "./open_load.ts";
import type { CaseOptions, Figure } from "./report.ts";
import { percentile } from "./statistics.ts";
import { startChild, withService } from "./with_service.ts";

const EVENTS_PER_REQUEST = 10;
const PEAK = { eventsPerRequest: EVENTS_PER_REQUEST, clients: 64, seconds: 20 };
const SECONDS = 20;
const PROBE_ACCOUNTS = 50;

/**
 * The latency of accepted requests, and how soon their events are visible, while requests of ten
 * events come at half of the highest rate; against a bare koa that reads the same bodies at the
 * same rate, and the service at a quarter of the highest rate.
 */
export const benchIngestLatency = ({ runs, say }: CaseOptions): Promise<Figure[]> =>
  withService(BACKLOG_BOUNDS, async (service, databaseUrl) => {
    const bare = await startChild("scripts/bench/bare_koa_process.ts", [], {}, /^(\d+)$/);
    const bareUrl = `http://127.0.0.1:${bare.found}`;
    const measured: Measured[] = [];
    try {
      // The first round only warms up.
      for (let run = 0; run <= runs; run++) {
        // Measured in each round, because the speed of a shared machine drifts.
        const { rate } = await measureIngest([service], databaseUrl, PEAK);
        say(`The highest rate is ${Math.round(rate)} events/s: half of it now`);
        const requestsPerSecond = rate / EVENTS_PER_REQUEST / 2;
        const load = { requestsPerSecond, seconds: SECONDS, eventsPerRequest: EVENTS_PER_REQUEST };
        const lighter = { ...load, requestsPerSecond: requestsPerSecond / 2 };
        const reference = await sendFromElsewhere(bareUrl, load);
        const light = await sendFromElsewhere(service.found, lighter);
        const waited = await waitSecondsOf(service.pid);
        const sent = await sendFromElsewhere(service.found, load);
        const waiting = ((await waitSecondsOf(service.pid)) - waited) / sent.seconds;
        // A second load, because following events sends many requests.
        const sending = sendFromElsewhere(service.found, load);
        const shown = await followEvents([service.found], "probe", PROBE_ACCOUNTS, SECONDS - 1);
        await sending;
        if (run > 0) measured.push({ requestsPerSecond, reference, light, sent, shown, waiting });
      }
    } finally {
      await bare.stop();
    }
    const of = (figure: (one: Measured) => number): ReadonlyArray<number> => measured.map(figure);
    return [
      {
        name: "requests of ten events",
        unit: "req/s",
        runs: of(({ requestsPerSecond }) => requestsPerSecond),
      },
      {
        name: "bare koa that reads the same bodies, p99",
        unit: "ms",
        runs: of(({ reference }) => reference.p99),
      },
      { name: "POST /events, p50", unit: "ms", runs: of(({ sent }) => sent.p50) },
      {
        name: "POST /events, p99",
        unit: "ms",
        runs: of(({ sent }) => sent.p99),
        goal: { text: "≤ 25 ms", met: (ms) => ms <= 25 },
      },
      {
        name: "POST /events at a quarter of the highest rate, p99",
        unit: "ms",
        runs: of(({ light }) => light.p99),
      },
      {
        name: "of a second, the thread that answers waits for a processor",
        unit: "ms",
        runs: of(({ waiting }) => waiting * 1_000),
      },
      {
        name: "from the 202 until the event shows, p50",
        unit: "ms",
        runs: of(({ shown }) => percentile(shown, 0.5)),
        goal: { text: "≤ 150 ms", met: (ms) => ms <= 150 },
      },
      {
        name: "from the 202 until the event shows, p99",
        unit: "ms",
        runs: of(({ shown }) => percentile(shown, 0.99)),
        goal: { text: "≤ 500 ms", met: (ms) => ms <= 500 },
      },
    ];
  });

/** The result of one round. */
interface Measured {
  readonly requestsPerSecond: number;
  readonly reference: OpenLoadResult;
  readonly light: OpenLoadResult;
  readonly sent: OpenLoadResult;
  /** The time until each followed event was visible, in milliseconds. */
  readonly shown: ReadonlyArray<number>;
  /** The share of time that the main thread of the service waited for a processor. */
  readonly waiting: number;
}
