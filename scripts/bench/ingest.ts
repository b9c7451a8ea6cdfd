import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";

import { Effect } from "effect";

import { makeProjection } from "../../adapters/postgres/projection.ts";
import { present } from "../../core/invariant.ts";
import { Projection } from "../../core/projection/projection.ts";
import { catchUp } from "../../core/projection/projector.ts";
import { createMigratedDatabase } from "../test/migrated_database.ts";
import { measureCopy } from "./copy_rows.ts";
import { fillLog } from "./fill_log.ts";
import { benchIngestLatency } from "./ingest_latency.ts";
import { startLoad } from "./load.ts";
import { BACKLOG_BOUNDS, type Cost, measureIngest } from "./measure_ingest.ts";
import type { Case, CaseOptions, Figure } from "./report.ts";
import { percentile, ratios } from "./statistics.ts";
import { type Child, SHARDS, startService, withService } from "./with_service.ts";

const COPY_EVENTS = 500_000;
const SECONDS = 60;

/** The steady rate at which a service ingests and counts events, against COPY into a log. */
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
        runs: ratios(counted, copied),
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

/** The load of the other cases. */
const LOAD = { eventsPerRequest: 100, clients: 32 };
const LOAD_SECONDS = 20;

const ACCOUNTS = 500;

/** Whether ingest slows down as the log grows: into a large and a small log, in turn. */
const benchIngestGrowth = async ({ runs, scale, say }: CaseOptions): Promise<Figure[]> => {
  const large = await openLog(20_000_000 * scale, say);
  const small = await openLog(1_000_000 * scale, say);
  const rates = { large: [] as number[], small: [] as number[] };
  try {
    for (let run = 0; run < runs; run++) {
      rates.small.push(await ingestInto(small.url));
      rates.large.push(await ingestInto(large.url));
    }
  } finally {
    await large.close();
    await small.close();
  }
  return [
    { name: "ingest into a log of 1 million events", unit: "events/s", runs: rates.small },
    { name: "ingest into a log of 20 million events", unit: "events/s", runs: rates.large },
    {
      name: "20 million against 1 million",
      unit: "×",
      runs: ratios(rates.large, rates.small),
      goal: { text: "≥ 0.8 ×", met: (ratio) => ratio >= 0.8 },
    },
  ];
};

const openLog = async (events: number, say: (line: string) => void) => {
  const { url, database, close } = await createMigratedDatabase(SHARDS);
  say(`Filling a log with ${events} events…`);
  const accounts = Array.from({ length: ACCOUNTS }, (_, i) => `account-${i}`);
  await fillLog(url, SHARDS, [{ accounts, events, users: 200, days: 7 }]);
  await Effect.runPromise(Effect.provideService(catchUp, Projection, makeProjection(database)));
  return { url, close };
};

const ingestInto = async (databaseUrl: string): Promise<number> => {
  const service = await startService({ DATABASE_URL: databaseUrl, ...BACKLOG_BOUNDS });
  try {
    return (await measureIngest([service], databaseUrl, { ...LOAD, seconds: LOAD_SECONDS })).rate;
  } finally {
    await service.stop();
  }
};

const MINUTES = 10;
const MIB = 2 ** 20;

/** The memory of a process with all roles at the highest rate; once, not `runs` times. */
const benchIngestMemory = ({ scale, say }: CaseOptions): Promise<Figure[]> =>
  withService(BACKLOG_BOUNDS, async (service) => {
    const load = await startLoad(service.found, LOAD.eventsPerRequest, LOAD.clients);
    const samples: number[] = [];
    const seconds = MINUTES * 60 * scale;
    for (let second = 1; second <= seconds; second++) {
      await delay(1_000);
      samples.push(await residentMibOf(service.pid));
      if (second % 60 === 0) say(`${second} s: ${Math.round(samples.at(-1) ?? 0)} MiB`);
    }
    await load.stop();
    const third = Math.floor(samples.length / 3);
    const second = percentile(samples.slice(third, 2 * third), 0.5);
    const last = percentile(samples.slice(2 * third), 0.5);
    return [
      {
        name: "resident memory of one process with all roles, highest",
        unit: "MiB",
        runs: [Math.max(...samples)],
        goal: { text: "≤ 300 MiB", met: (mib) => mib <= 300 },
      },
      {
        name: "its last third against its second, medians",
        unit: "×",
        runs: [last / second],
        goal: { text: "≤ 1.1 ×", met: (ratio) => ratio <= 1.1 },
      },
    ];
  });

/** The resident memory of a process, from Linux. */
const residentMibOf = async (pid: number): Promise<number> => {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return (Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024) / MIB;
};

/** The roles of the processes of each deployment. The load goes to the first process. */
const DEPLOYMENTS: ReadonlyArray<readonly [name: string, roles: ReadonlyArray<string>]> = [
  ["one process with all roles", ["api,worker,projector"]],
  ["an api and a worker with the projector", ["api", "worker,projector"]],
  ["an api, a worker and a projector", ["api", "worker", "projector"]],
  ["an api, two workers and a projector", ["api", "worker", "worker", "projector"]],
  ["two processes with all roles", ["api,worker,projector", "api,worker,projector"]],
];

/** What more processes gain on one machine. */
const benchIngestProcesses = async ({ runs, scale }: CaseOptions): Promise<Figure[]> => {
  const rates = DEPLOYMENTS.map((): number[] => []);
  for (let run = 0; run < runs; run++) {
    for (const [i, [, roles]] of DEPLOYMENTS.entries()) {
      rates[i]?.push(await ingestWith(roles, LOAD_SECONDS * scale));
    }
  }
  return DEPLOYMENTS.map(([name], i) => ({
    name,
    unit: "events/s",
    runs: present(rates[i], `${name} was measured`),
  }));
};

const ingestWith = async (deployment: ReadonlyArray<string>, seconds: number): Promise<number> => {
  const { url, close } = await createMigratedDatabase(SHARDS);
  const services: Child[] = [];
  try {
    for (const ROLES of deployment) {
      services.push(await startService({ DATABASE_URL: url, ROLES, ...BACKLOG_BOUNDS }));
    }
    return (await measureIngest(services, url, { ...LOAD, seconds })).rate;
  } finally {
    for (const service of services) await service.stop();
    await close();
  }
};

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
    about: "ingest into a log of 20 million events against one million",
    run: benchIngestGrowth,
  },
  {
    name: "ingest.processes",
    about: "ingest by the number of api and worker processes",
    run: benchIngestProcesses,
  },
  {
    name: "ingest.memory",
    about: "memory of one process with all roles during ten minutes at the highest rate",
    run: benchIngestMemory,
  },
];
