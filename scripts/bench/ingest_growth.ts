import { Effect } from "effect";

import { makeProjection } from "../../adapters/postgres/projection.ts";
import { Projection } from "../../core/projection/projection.ts";
import { catchUp } from "../../core/projection/projector.ts";
import { createMigratedDatabase } from "../test/migrated_database.ts";
import type { CaseOptions } from "./case.ts";
import { fillLog } from "./fill_log.ts";
import { BACKLOG_BOUNDS, measureIngest } from "./measure_ingest.ts";
import type { Figure } from "./report.ts";
import { SHARDS, startService } from "./with_service.ts";

const MILLION = 1_000_000;
const ACCOUNTS = 500;
const SECONDS = 20;
const LOAD = { eventsPerRequest: 100, clients: 32 };

/** Whether taking in events becomes slower as the log grows: in turn into a large and a small one. */
export const benchIngestGrowth = async ({ runs, scale, say }: CaseOptions): Promise<Figure[]> => {
  const large = await openLog(20 * MILLION * scale, say);
  const small = await openLog(MILLION * scale, say);
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
      runs: rates.large.map((rate, i) => rate / (rates.small[i] ?? Number.NaN)),
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
    return (await measureIngest([service], databaseUrl, { ...LOAD, seconds: SECONDS })).rate;
  } finally {
    await service.stop();
  }
};
