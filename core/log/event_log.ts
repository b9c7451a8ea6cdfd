import { Context, Data, type Effect } from "effect";

import type { Event, RecordedEvent } from "../event/event.ts";
import type { StoreFailure } from "../store_failure.ts";

/** Which of the events given to `append` were not new. All others were appended, in order. */
export interface Appended {
  /** Indexes of events that the log contains already, with the same payload. */
  readonly duplicates: ReadonlyArray<number>;
  /** Indexes of events whose identity the log contains with another payload, which stays. */
  readonly conflicts: ReadonlyArray<number>;
}

/** The log is unreachable, or gave up for a reason that passes. The same append may be retried. */
export class LogUnavailable extends Data.TaggedError("LogUnavailable")<StoreFailure> {}

/** Another process has held the shard for longer than an append waits. Other shards are not affected. */
export class ShardBusy extends Data.TaggedError("ShardBusy")<{ readonly shard: number }> {}

/** The log refuses these events, now and later: something in them cannot be stored. */
export class AppendRefused extends Data.TaggedError("AppendRefused")<{
  readonly shard: number;
  readonly cause: unknown;
}> {}

/** The last position of a shard; 0 if it is empty. */
export interface Head {
  readonly shard: number;
  readonly position: number;
}

/**
 * The append-only log. Positions are dense per shard, starting at 1, and in the order of commits: a reader
 * at a position has missed nothing before it. The log contains each identity once.
 */
export class EventLog extends Context.Service<
  EventLog,
  {
    /** How many shards the log has. */
    readonly shards: number;
    /**
     * Appends events of one shard, all or none, each identity at most once per call (`collapse`).
     * Idempotent: appending the same events again changes nothing.
     */
    readonly append: (
      shard: number,
      events: ReadonlyArray<Event>,
    ) => Effect.Effect<Appended, LogUnavailable | ShardBusy | AppendRefused>;
    /** The head of every shard, ordered by shard. */
    readonly heads: Effect.Effect<ReadonlyArray<Head>, LogUnavailable>;
    /** At most `limit` events of a shard after position `after`, in order. */
    readonly read: (
      shard: number,
      after: number,
      limit: number,
    ) => Effect.Effect<ReadonlyArray<RecordedEvent>, LogUnavailable>;
  }
>()("tidemark/log/EventLog") {}
