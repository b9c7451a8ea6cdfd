import { Effect } from "effect";

import { shardIn } from "../../adapters/memory/store.ts";
import { identityOf } from "../../core/event/event.ts";
import { shardOf } from "../../core/event/shard.ts";
import { summariseAccount } from "../../core/query/summarise_account.ts";
import { STALENESS_MAX_MS } from "../../core/query/summary_cache.ts";
import { WINDOW_NAMES } from "../../core/summary/range.ts";
import { Summaries } from "../../core/summary/summaries.ts";
import { summarise } from "../../core/summary/summary.ts";
import { read, type Reading, TOP } from "./clients.ts";
import { type Violation, violations } from "./oracle.ts";
import type { Fleet, SentSummary } from "./process.ts";
import type { World } from "./world.ts";

const ALL_TIME = { from: 0, to: Number.MAX_SAFE_INTEGER };

/** The summaries of all accounts together count every event of the log once. */
export const checkSummaries = Effect.fnUntraced(function* ({ backend, conditions }: World) {
  const identities = new Set(backend.store.shards.flatMap(({ events }) => events.map(identityOf)));
  let byType = 0;
  let byUser = 0;
  for (const account of conditions.accounts) {
    const { totals, topUsers } = yield* summariseAccount(account, ALL_TIME, 100).pipe(
      Effect.provideService(Summaries, backend.summaries),
      Effect.orDie,
    );
    for (const events of totals.values()) byType += events;
    for (const { events } of topUsers) byUser += events;
  }
  const { size } = identities;
  return violations(
    "summaries count the log",
    byType === size && byUser === size
      ? []
      : [`${byType} by type and ${byUser} by user, of ${size} events`],
  );
});

/**
 * Every summary that a client got equals the log at the checkpoint that it names, and that checkpoint is not older than
 * what its process knew.
 */
export const checkReadings = (
  world: World,
  readings: ReadonlyArray<Reading>,
): ReadonlyArray<Violation> =>
  violations(
    "a summary shows one state of the log",
    readings.flatMap((reading) => {
      const problem = problemOf(world, reading);
      return problem === undefined ? [] : `${problem}: ${JSON.stringify(reading)}`;
    }),
  );

const problemOf = (
  world: World,
  { tier, askedAt, known, summary }: Reading,
): string | undefined => {
  const { accountId, range, asOf, checkpoint } = summary;
  const { events } = shardOfAccount(world, accountId);
  const state = events.slice(0, checkpoint).filter((event) => event.accountId === accountId);
  const { totals, topUsers } = summarise(state, range, TOP);
  if (countsOf(summary) !== countsOf({ totals: [...totals], topUsers })) return "wrong counts";
  if (tier !== "miss" && askedAt - asOf >= STALENESS_MAX_MS) return "too old";
  if (events.slice(checkpoint, known).some((event) => event.accountId === accountId)) {
    return "older than its process knew";
  }
  return events.slice(checkpoint).some(({ recordedAt }) => recordedAt < asOf)
    ? "older than its as_of"
    : undefined;
};

/** Once all is quiet, every process answers with the end of the log. */
export const checkLastReadings = Effect.fnUntraced(function* (world: World, fleet: Fleet) {
  if (!world.conditions.reads) return [];
  const problems: string[] = [];
  for (const process of fleet.running()) {
    for (const accountId of world.conditions.accounts) {
      for (const period of WINDOW_NAMES) {
        // A process can stay frozen for longer than the faults last.
        const timeoutMs = 2 * world.conditions.stallMaxMs;
        const question = { accountId, period, top: TOP };
        const reading = yield* read(world, process, question, timeoutMs);
        const problem = reading === undefined ? "no answer" : problemAtRest(world, reading);
        if (problem !== undefined) problems.push(`${process.name} on ${accountId}: ${problem}`);
      }
    }
  }
  return violations("summaries count the log", problems);
});

const problemAtRest = (world: World, reading: Reading): string | undefined => {
  const { accountId, checkpoint } = reading.summary;
  const missing = shardOfAccount(world, accountId)
    .events.slice(checkpoint)
    .filter((event) => event.accountId === accountId);
  return missing.length === 0
    ? problemOf(world, reading)
    : `${reading.tier} of ${checkpoint} misses ${missing.map(identityOf).join(", ")}`;
};

const shardOfAccount = ({ backend, conditions }: World, accountId: string) =>
  shardIn(backend.store, shardOf(accountId, conditions.shards));

const countsOf = ({ totals, topUsers }: Pick<SentSummary, "totals" | "topUsers">): string =>
  JSON.stringify([totals, topUsers]);
