import { Effect } from "effect";

import { identityOf } from "../../../core/event/event.ts";
import { shardOf } from "../../../core/event/shard.ts";
import { summariseAccount } from "../../../core/query/summarise_account.ts";
import { STALENESS_MAX_MS } from "../../../core/query/summary_cache.ts";
import { Summaries } from "../../../core/summary/summaries.ts";
import { summarise } from "../../../core/summary/summary.ts";
import { WINDOW_NAMES } from "../../../core/summary/window.ts";
import { shardIn } from "../store.ts";
import { complain, type Complaint } from "./complaint.fixture.ts";
import type { Fleet } from "./fleet.fixture.ts";
import { read, type Reading, TOP } from "./reader.fixture.ts";
import type { SentSummary } from "./summary_text.fixture.ts";
import type { World } from "./world.fixture.ts";

const ALWAYS = { from: 0, to: Number.MAX_SAFE_INTEGER };

/** All summaries of all time together are the events of the log, each once. */
export const judgeSummaries = Effect.fnUntraced(function* ({ backend, conditions }: World) {
  const identities = new Set(backend.store.shards.flatMap(({ events }) => events.map(identityOf)));
  let byType = 0;
  let byUser = 0;
  for (const account of conditions.accounts) {
    const { totals, topUsers } = yield* summariseAccount(account, ALWAYS, 100).pipe(
      Effect.provideService(Summaries, backend.summaries),
      Effect.orDie,
    );
    for (const events of totals.values()) byType += events;
    for (const { events } of topUsers) byUser += events;
  }
  const { size } = identities;
  return complain(
    "summaries count the log",
    byType === size && byUser === size
      ? []
      : [`${byType} by type and ${byUser} by user, of ${size} events`],
  );
});

/**
 * Every summary that somebody was given says what the log said at the checkpoint it names, and that is
 * no less than what the process which gave it knew of.
 */
export const judgeReadings = (
  world: World,
  readings: ReadonlyArray<Reading>,
): ReadonlyArray<Complaint> =>
  complain(
    "a summary is of a state of the log",
    readings.flatMap((reading) => {
      const fault = faultOf(world, reading);
      return fault === undefined ? [] : `${fault}: ${JSON.stringify(reading)}`;
    }),
  );

const faultOf = (world: World, { tier, askedAt, known, summary }: Reading): string | undefined => {
  const { accountId, range, asOf, checkpoint } = summary;
  const { events } = eventsOf(world, accountId);
  const state = events.slice(0, checkpoint).filter((event) => event.accountId === accountId);
  const { totals, topUsers } = summarise(state, range, TOP);
  if (countsOf(summary) !== countsOf({ totals: [...totals], topUsers })) return "it is wrong";
  if (tier !== "miss" && askedAt - asOf >= STALENESS_MAX_MS) return "it is too old";
  if (events.slice(checkpoint, known).some((event) => event.accountId === accountId)) {
    return "its process knew of more";
  }
  return events.slice(checkpoint).some(({ recordedAt }) => recordedAt < asOf)
    ? "it claims to know more than it does"
    : undefined;
};

/** What every process gives when all is quiet is of the end of the log. */
export const judgeLastReadings = Effect.fnUntraced(function* (world: World, fleet: Fleet) {
  if (!world.conditions.reads) return [];
  const faults: string[] = [];
  for (const process of fleet.running()) {
    for (const accountId of world.conditions.accounts) {
      for (const period of WINDOW_NAMES) {
        // A process may stand still longer than the storm.
        const patienceMs = 2 * world.conditions.stallMaxMs;
        const question = { accountId, period, top: TOP };
        const reading = yield* read(world, process, question, patienceMs);
        const fault = reading === undefined ? "no answer" : behind(world, reading);
        if (fault !== undefined) faults.push(`${process.name} on ${accountId}: ${fault}`);
      }
    }
  }
  return complain("summaries count the log", faults);
});

const behind = (world: World, reading: Reading): string | undefined => {
  const { accountId, checkpoint } = reading.summary;
  const missing = eventsOf(world, accountId)
    .events.slice(checkpoint)
    .filter((event) => event.accountId === accountId);
  return missing.length === 0
    ? faultOf(world, reading)
    : `${reading.tier} of ${checkpoint} misses ${missing.map(identityOf).join(", ")}`;
};

const eventsOf = ({ backend, conditions }: World, accountId: string) =>
  shardIn(backend.store, shardOf(accountId, conditions.shards));

const countsOf = ({ totals, topUsers }: Pick<SentSummary, "totals" | "topUsers">): string =>
  JSON.stringify([totals, topUsers]);
