import { Effect, Option } from "effect";

import { queuedIn } from "../../core/event/batch.ts";
import { type Event, identityOf } from "../../core/event/event.ts";
import { shardOf } from "../../core/event/shard.ts";
import { formatTimestamp } from "../../core/event/timestamp.ts";
import { fold, NO_ROWS, READ_MODELS, type Rows } from "../../core/projection/read_models.ts";
import { isUnfoldable, isUnstorable, type StoredJob } from "./backend.ts";
import { isCalm } from "./conditions.ts";
import type { Fleet } from "./process.ts";
import type { SentEvent, World } from "./world.ts";

/** The promises of the service that every run is checked against. */
export type Rule =
  | "everything drains"
  | "accepted events are in the log"
  | "only sent events are in the log"
  | "each identity is in the log once"
  | "positions are dense"
  | "read models are the fold of the log"
  | "only events that cannot be folded are skipped"
  | "summaries count the log"
  | "a summary shows one state of the log"
  | "only jobs that cannot be stored are dead letters"
  | "the counts of jobs add up"
  | "nothing is accepted while the backlog is unknown"
  | "quotas are charged for accepted events only";

/** A broken rule, and where it broke. */
export interface Violation {
  readonly rule: Rule;
  readonly detail: string;
}

/** One violation of a rule for each detail. */
export const violations = (rule: Rule, details: ReadonlyArray<string>): ReadonlyArray<Violation> =>
  details.map((detail) => ({ rule, detail }));

/** Checks the admission control of every process. */
export const checkAdmission = (fleet: Fleet): ReadonlyArray<Violation> => {
  const blind = fleet.started().flatMap((process) => process.admitted().blind);
  // A process that died may have charged a batch that it did not enqueue.
  const alive = [...fleet.running(), ...fleet.stopped()];
  const wronglyCharged = alive.flatMap((process) => {
    const { charged, enqueued } = process.admitted();
    return charged === enqueued
      ? []
      : [`${process.name} charged ${charged} events and enqueued ${enqueued}`];
  });
  return [
    ...violations("nothing is accepted while the backlog is unknown", blind),
    ...violations("quotas are charged for accepted events only", wronglyCharged),
  ];
};

/** Checks the log against what was sent and accepted. */
export const checkLog = ({ backend, ledger }: World): ReadonlyArray<Violation> => {
  const rows = backend.store.shards.flatMap(({ events }) => events);
  const stored = new Set(rows.map(identityOf));

  const lost = ledger.requests.flatMap(({ events, outcome }) => {
    const decoded = events.map(keysOf);
    // One unstorable event makes the whole job a dead letter.
    if (outcome._tag !== "Accepted" || decoded.some(isUnstorable)) return [];
    return decoded
      .map(identityOf)
      .filter((identity) => !stored.has(identity))
      .map((identity) => `${identity} of ${backend.jobs.get(outcome.accepted.jobId)?.name}`);
  });

  const sent = new Set(
    ledger.requests
      .filter(({ outcome }) => outcome._tag !== "Rejected")
      .flatMap(({ events }) => events.map(textOfSent)),
  );
  const invented = rows.filter((row) => isUnstorable(row) || !sent.has(textOf(row)));

  const seen = new Set<string>();
  const repeated = rows.map(identityOf).filter((identity) => {
    const again = seen.has(identity);
    seen.add(identity);
    return again;
  });

  return [
    ...violations("accepted events are in the log", lost),
    ...violations("only sent events are in the log", invented.map(textOf)),
    ...violations("each identity is in the log once", repeated),
    ...violations("positions are dense", backend.store.shards.flatMap(misplacedIn)),
  ];
};

/** The events of a shard with a wrong position, shard or time. */
const misplacedIn = (
  { events }: World["backend"]["store"]["shards"][number],
  shard: number,
  { length: shards }: ReadonlyArray<unknown>,
): ReadonlyArray<string> =>
  events
    .filter(
      (event, index) =>
        event.position !== index + 1 ||
        event.shard !== shard ||
        shardOf(event.accountId, shards) !== shard ||
        event.recordedAt < (events[index - 1]?.recordedAt ?? 0),
    )
    .map((event) => `${identityOf(event)} at ${event.position} of shard ${event.shard}`);

const keysOf = ({ account_id, event_id }: SentEvent) => ({
  accountId: account_id,
  eventId: event_id,
});

const textOfSent = (event: SentEvent): string =>
  [event.account_id, event.event_id, event.user_id, event.type, event.timestamp].join("\n");

const textOf = (event: Event): string =>
  [
    event.accountId,
    event.eventId,
    event.userId,
    event.type,
    formatTimestamp(event.occurredAt),
  ].join("\n");

/** Checks the read models against a fold of the whole log. */
export const checkReadModels = ({ backend }: World): ReadonlyArray<Violation> =>
  backend.store.shards.flatMap(({ events, rows, poisoned, checkpoint }, shard) => {
    const wrong = READ_MODELS.flatMap((model) => {
      const expected = fold(
        model,
        NO_ROWS,
        events.filter((event) => !isUnfoldable(event)),
      );
      return differences(rows.get(model.name) ?? NO_ROWS, expected).map(
        (difference) => `${model.name} of shard ${shard}: ${difference}`,
      );
    });
    const wronglyPoisoned = events.flatMap((event) =>
      poisoned.has(event.position) === isUnfoldable(event)
        ? []
        : `${identityOf(event)} at ${event.position} of shard ${shard}`,
    );
    const lagging =
      checkpoint === events.length ? [] : [`shard ${shard} is folded up to ${checkpoint}`];
    return [
      ...violations("read models are the fold of the log", [...wrong, ...lagging]),
      ...violations("only events that cannot be folded are skipped", wronglyPoisoned),
    ];
  });

const differences = (actual: Rows, expected: Rows): ReadonlyArray<string> => {
  const keys = new Set([...actual.keys(), ...expected.keys()]);
  return [...keys].flatMap((key) => {
    const [has, should] = [actual.get(key)?.events ?? 0, expected.get(key)?.events ?? 0];
    return has === should ? [] : `${key} has ${has}, not ${should}`;
  });
};

/** Checks every job against its batch, and all jobs together against the log. */
export const checkJobs = Effect.fnUntraced(function* ({ backend, ledger, conditions }: World) {
  const unfinished: string[] = [];
  const wronglyDead: string[] = [];
  const miscounted: string[] = [];
  const completed: CompletedJob[] = [];

  for (const [id, { name, batch }] of backend.jobs) {
    const status = Option.getOrThrow(yield* Effect.orDie(backend.queue.find(id)));
    const { state, queued, retries, failure } = status;
    const isPoison = batch.events.some(isUnstorable);
    const found = `${name} is ${state}, ${failure ?? "without a failure"}`;
    if (state !== "completed" && state !== "dead") unfinished.push(found);
    else if ((state === "dead") !== isPoison) wronglyDead.push(found);
    if (state === "completed") completed.push({ name, batch, appended: status.appended });

    const sum = status.appended + status.duplicates + status.conflicts;
    if (sum !== (state === "completed" ? queued : 0) || queued !== queuedIn(batch)) {
      miscounted.push(`${name} counts ${sum} of ${queued}`);
    }
    if (isCalm(conditions) && retries > 0) miscounted.push(`${name} was retried without a fault`);
  }

  for (const { events, outcome } of ledger.requests) {
    if (outcome._tag !== "Accepted") continue;
    const { jobId, queued } = outcome.accepted;
    if (!backend.jobs.has(jobId)) unfinished.push(`${jobId} was accepted, but does not exist`);
    if (queued !== events.length) miscounted.push(`${jobId} queued ${queued} of ${events.length}`);
  }

  for (const group of groupsOf(completed)) {
    const identities = new Set(group.flatMap(({ batch }) => batch.events.map(identityOf)));
    const appended = group.reduce((sum, job) => sum + job.appended, 0);
    // It is less if a worker died between append and acknowledge: the next attempt counts duplicates.
    if (appended > identities.size || (isCalm(conditions) && appended < identities.size)) {
      const names = group.map(({ name }) => name).join(", ");
      miscounted.push(`${names} appended ${appended} of ${identities.size} events`);
    }
  }
  const found: ReadonlyArray<Violation> = [
    ...violations("everything drains", unfinished),
    ...violations("only jobs that cannot be stored are dead letters", wronglyDead),
    ...violations("the counts of jobs add up", miscounted),
  ];
  return found;
});

interface CompletedJob extends StoredJob {
  readonly appended: number;
}

/** Groups jobs that share events, directly or through others: any of them may have appended those. */
const groupsOf = (
  jobs: ReadonlyArray<CompletedJob>,
): ReadonlyArray<ReadonlyArray<CompletedJob>> => {
  const groups = new Map<string, CompletedJob[]>();
  for (const job of jobs) {
    const identities = job.batch.events.map(identityOf);
    const met = new Set(identities.flatMap((identity) => groups.get(identity) ?? []));
    const joined = [...met, job];
    for (const one of joined) {
      for (const event of one.batch.events) groups.set(identityOf(event), joined);
    }
  }
  return [...new Set(groups.values())];
};
