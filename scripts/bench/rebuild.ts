import { execFile } from "node:child_process";
import { promisify } from "node:util";

import pg from "pg";

import { DIMENSION_SQL } from "../../adapters/postgres/read_model_sql.ts";
import { READ_MODELS } from "../../core/projection/read_models.ts";
import { createMigratedDatabase } from "../test/migrated_database.ts";
import { fillLog } from "./fill_log.ts";
import type { Case, CaseOptions, Figure } from "./report.ts";
import { ratios } from "./statistics.ts";
import { SHARDS } from "./with_service.ts";

const EVENTS = 5_000_000;
const ACCOUNTS = 500;
const USERS = 200;
const DAYS = 7;

const PROJECTOR = "scripts/projector/main.ts";

/** Runs the command as a user does, and returns the seconds from start to end. */
const projector = async (url: string, ...args: ReadonlyArray<string>): Promise<number> => {
  const since = performance.now();
  const env = { ...process.env, DATABASE_URL: url };
  await promisify(execFile)(process.execPath, [PROJECTOR, ...args], { env });
  return (performance.now() - since) / 1_000;
};

/** Counts the log once for each read model, without storing anything. Returns the seconds. */
const groupBy = async (client: pg.ClientBase): Promise<number> => {
  const since = performance.now();
  for (const { dimensions } of READ_MODELS) {
    const grouped = dimensions.map((dimension) => DIMENSION_SQL[dimension]).join(", ");
    await client.query(
      `select count(*) from (select shard, count(*) from tidemark.events group by shard, ${grouped}) rows`,
    );
  }
  return (performance.now() - since) / 1_000;
};

const rebuild = async ({ runs, scale, say }: CaseOptions): Promise<Figure[]> => {
  const events = Math.round(EVENTS * scale);
  const { url, close } = await createMigratedDatabase(SHARDS);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const accounts = Array.from({ length: ACCOUNTS }, (_, i) => `account-${i}`);
    await fillLog(url, SHARDS, [{ accounts, events, users: USERS, days: DAYS }]);
    say(`${events} events are in the log`);
    // The first rebuild has no live rows to compare with.
    await projector(url);
    const counting: number[] = [];
    const rebuilding: number[] = [];
    const verifying: number[] = [];
    for (let run = 0; run < runs; run++) {
      await projector(url, "drop");
      counting.push(events / (await groupBy(client)));
      rebuilding.push(events / (await projector(url)));
      verifying.push(events / (await projector(url, "verify")));
      say(`Run ${run + 1} of ${runs}`);
    }
    return [
      { name: "one GROUP BY over the log", unit: "events/s", runs: counting },
      { name: "npm run projector", unit: "events/s", runs: rebuilding },
      {
        name: "npm run projector against the GROUP BY",
        unit: "×",
        runs: ratios(rebuilding, counting),
        goal: { text: "≥ 0.5 ×", met: (ratio) => ratio >= 0.5 },
      },
      { name: "npm run projector -- verify", unit: "events/s", runs: verifying },
    ];
  } finally {
    await client.end();
    await close();
  }
};

export const rebuildCases: ReadonlyArray<Case> = [
  {
    name: "rebuild",
    about: "rebuilding the read models of 5 million events, against counting them",
    run: rebuild,
  },
];
