import type { Case, CaseOptions } from "./case.ts";
import { measureCopy } from "./copy_rows.ts";
import { benchIngestGrowth } from "./ingest_growth.ts";
import { benchIngestLatency } from "./ingest_latency.ts";
import { benchIngestMemory } from "./ingest_memory.ts";
import { benchIngestProcesses } from "./ingest_processes.ts";
import { BACKLOG_BOUNDS, type Cost, measureIngest } from "./measure_ingest.ts";
import type { Figure } from "./report.ts";
import { SHARDS, withService } from "./with_service.ts";

const COPY_EVENTS = 500_000;
const SECONDS = 60;

/** How fast a service takes in events and counts them, steadily, against COPY into a log. */
const ingest =
  (eventsPerRequest: number, clients: number, share: number) =>
  async ({ runs, scale, say }: CaseOptions): Promise<Figure[]> => {
    const copied: number[] = [];
    const counted: number[] = [];
    const backlogs: number[] = [];
    const costs: Cost[] = [];
    for (let run = 0; run < runs; run++) {
      copied.push(await measureCopy(COPY_EVENTS, SHARDS));
      const { rate, backlog, cost } = await withService(BACKLOG_BOUNDS, (service, databaseUrl) =>
        measureIngest([service], databaseUrl, {
          eventsPerRequest,
          clients,
          seconds: SECONDS * scale,
        }),
      );
      counted.push(rate);
      backlogs.push(backlog);
      costs.push(cost);
      say(
        `COPY ${Math.round(copied.at(-1) ?? 0)}, accepted and counted ${Math.round(rate)} events/s`,
      );
    }
    return [
      { name: "COPY into the log", unit: "events/s", runs: copied },
      {
        name: `${eventsPerRequest} events a request, accepted and counted`,
        unit: "events/s",
        runs: counted,
      },
      {
        name: `${eventsPerRequest} events a request against COPY`,
        unit: "×",
        runs: counted.map((rate, i) => rate / (copied[i] ?? Number.NaN)),
        goal: { text: `≥ ${share} ×`, met: (ratio) => ratio >= share },
      },
      { name: "accepted and not yet counted at the end", unit: "events", runs: backlogs },
      ...COSTS.map(([part, name, unit]) => ({
        name,
        unit,
        runs: costs.map((cost) => cost[part]),
      })),
    ];
  };

const COSTS = [
  ["service", "processor time of the service, an event", "µs"],
  ["postgres", "processor time of Postgres, an event", "µs"],
  ["load", "processor time of the load, an event", "µs"],
  ["transactions", "transactions, a thousand events", ""],
  ["walBytes", "write-ahead log, an event", "bytes"],
] as const satisfies ReadonlyArray<readonly [keyof Cost, string, string]>;

/** What the write side promises. */
export const ingestCases: ReadonlyArray<Case> = [
  { name: "ingest.10", about: "10 events a request, against COPY", run: ingest(10, 64, 0.25) },
  { name: "ingest.100", about: "100 events a request, against COPY", run: ingest(100, 32, 0.45) },
  {
    name: "ingest.1000",
    about: "1,000 events a request, against COPY",
    run: ingest(1_000, 8, 0.45),
  },
  {
    name: "ingest.latency",
    about: "POST /events and accept-to-visible at half of the highest rate",
    run: benchIngestLatency,
  },
  {
    name: "ingest.growth",
    about: "ingest into a log of 20 million events and of one million",
    run: benchIngestGrowth,
  },
  {
    name: "ingest.processes",
    about: "ingest by the number of api and worker processes",
    run: benchIngestProcesses,
  },
  {
    name: "ingest.memory",
    about: "memory of one process with all roles through ten minutes at the highest rate",
    run: benchIngestMemory,
  },
];
