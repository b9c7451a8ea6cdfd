import { Effect } from "effect";

import { createPool, databaseOf, READ_SESSION } from "../../adapters/postgres/pool.ts";
import { makeProjection } from "../../adapters/postgres/projection.ts";
import { makeSummaries } from "../../adapters/postgres/summaries.ts";
import { SHARDS_DEFAULT } from "../../core/event/shard.ts";
import { Projection } from "../../core/projection/projection.ts";
import { catchUp } from "../../core/projection/projector.ts";
import { type WindowName, rangeOf } from "../../core/summary/range.ts";
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
  say(`Filled after ${seconds()}`);
  const options = {
    url,
    connectionsMax: 1,
    connectTimeoutMs: 5_000,
    statementTimeoutMs: 600_000,
    onIdleError: () => {},
  };
  const pool = createPool(options);
  const readPool = createPool({ ...options, session: READ_SESSION });
  const projection = makeProjection(databaseOf(pool));
  const summaries = makeSummaries(databaseOf(readPool), SHARDS_DEFAULT);
  await Effect.runPromise(Effect.provideService(catchUp, Projection, projection));
  say(`Folded after ${seconds()}`);

  const readOne = (accountId: string, window: WindowName) =>
    Effect.runPromise(summaries.summary(accountId, rangeOf(window, Date.now()), 10));
  for (const accountId of read) await readOne(accountId, "last_7d");
  while (await Effect.runPromise(projection.upkeep));
  say(`Windows ready after ${seconds()}`);

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
      await readPool.end();
      await close();
    },
  };
};

/** The p50 and the p99 of several rounds of reads, after one that only warms up. */
export const percentiles = async (
  rounds: number,
  read: () => Promise<ReadonlyArray<number>>,
): Promise<{ readonly p50: ReadonlyArray<number>; readonly p99: ReadonlyArray<number> }> => {
  await read();
  const p50: number[] = [];
  const p99: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const latencies = await read();
    p50.push(percentile(latencies, 0.5));
    p99.push(percentile(latencies, 0.99));
  }
  return { p50, p99 };
};
