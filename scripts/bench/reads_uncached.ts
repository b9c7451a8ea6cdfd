import { Effect } from "effect";

import { createPool, databaseOf } from "../../adapters/postgres/pool.ts";
import { makeProjection } from "../../adapters/postgres/projection.ts";
import { makeSummaries } from "../../adapters/postgres/summaries.ts";
import { SHARDS_DEFAULT } from "../../core/event/shard.ts";
import { Projection } from "../../core/projection/projection.ts";
import { catchUp } from "../../core/projection/projector.ts";
import { type WindowName, rangeOf } from "../../core/summary/window.ts";
import { createMigratedDatabase } from "../test/migrated_database.ts";
import { type Filling, fillLog } from "./fill_log.ts";
import { percentile } from "./statistics.ts";

/** A log with its read models, and the reads of it, without any cache in front. */
export interface FilledLog {
  /** Latencies of summaries of random accounts, in milliseconds. */
  readonly read: (
    accounts: ReadonlyArray<string>,
    window: WindowName,
    reads: number,
  ) => Promise<ReadonlyArray<number>>;
  readonly close: () => Promise<void>;
}

/** Fills a log, folds it, and lets the windows of the accounts that will be read get ready. */
export const openFilledLog = async (
  fillings: ReadonlyArray<Filling>,
  read: ReadonlyArray<string>,
  say: (line: string) => void,
): Promise<FilledLog> => {
  const { url, close } = await createMigratedDatabase(SHARDS_DEFAULT);
  const since = performance.now();
  const seconds = (): string => `${((performance.now() - since) / 1_000).toFixed(0)} s`;
  await fillLog(url, SHARDS_DEFAULT, fillings);
  say(`filled after ${seconds()}`);
  const pool = createPool({
    url,
    connectionsMax: 2,
    connectTimeoutMs: 5_000,
    statementTimeoutMs: 600_000,
    onIdleError: () => {},
  });
  const database = databaseOf(pool);
  const projection = makeProjection(database);
  const summaries = makeSummaries(database, SHARDS_DEFAULT);
  await Effect.runPromise(Effect.provideService(catchUp, Projection, projection));
  say(`folded after ${seconds()}`);

  const readOne = (accountId: string, window: WindowName) =>
    Effect.runPromise(summaries.summary(accountId, rangeOf(window, Date.now()), 10));
  for (const accountId of read) await readOne(accountId, "last_7d");
  while (await Effect.runPromise(projection.upkeep));
  say(`windows ready after ${seconds()}`);

  return {
    read: async (accounts, window, reads) => {
      const latencies: number[] = [];
      for (let i = 0; i < reads; i++) {
        const accountId = accounts[Math.floor(Math.random() * accounts.length)] ?? "";
        const start = performance.now();
        await readOne(accountId, window);
        latencies.push(performance.now() - start);
        // As the projector would, beside the reads.
        if (i % 20 === 0) while (await Effect.runPromise(projection.upkeep));
      }
      return latencies;
    },
    close: async () => {
      await pool.end();
      await close();
    },
  };
};

/** The p99 of several rounds of reads. */
export const p99s = async (rounds: number, read: () => Promise<ReadonlyArray<number>>) => {
  const values: number[] = [];
  for (let round = 0; round < rounds; round++) values.push(percentile(await read(), 0.99));
  return values;
};
