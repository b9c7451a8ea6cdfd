import { Context, Data, type Effect } from "effect";

import type { Event, RecordedEvent } from "../event/event.ts";
import type { StoreFailure } from "../store_failure.ts";

/** Which of the events given to `append` were not new; all others were appended, in their order. */
export interface Appended {
  /** Indexes of events that the log holds already with the same payload. */
  readonly duplicates: ReadonlyArray<number>;
  /** Indexes of events whose identity the log holds with another payload, which stays. */
  readonly conflicts: ReadonlyArray<number>;
}

/** The log cannot be reached, or gave up for a reason that passes; the same append may be tried again. */
export class LogUnavailable extends Data.TaggedError("LogUnavailable")<StoreFailure> {}

/** Somebody else has held the shard for longer than an append waits; the other shards are not concerned. */
export class ShardBusy extends Data.TaggedError("ShardBusy")<{ readonly shard: number }> {}

/** The log refuses these events, and will again: something in them cannot be stored. */
export class AppendRefused extends Data.TaggedError("AppendRefused")<{
  readonly shard: number;
  readonly cause: unknown;
}> {}

/** The last position of a shard; 0 when it is empty. */
export interface Head {
  readonly shard: number;
  readonly position: number;
}

/**
 * The append-only log. Within a shard positions are dense from 1, and their order is the order of the
 * commits: who has read up to a position has missed nothing before it. An identity is in it once.
 */
export class EventLog extends Context.Service<
  EventLog,
  {
    /** How many shards the log has. */
    readonly shards: number;
    /**
     * Appends events of one shard, all or none, each identity at most once per call (`collapse`).
     * Appending the same events again changes nothing.
     */
    readonly append: (
      shard: number,
      events: ReadonlyArray<Event>,
    ) => Effect.Effect<Appended, LogUnavailable | ShardBusy | AppendRefused>;
    /** The head of every shard, in the order of the shards. */
    readonly heads: Effect.Effect<ReadonlyArray<Head>, LogUnavailable>;
    /** At most `limit` events of a shard behind position `after`, in order. */
    readonly read: (
      shard: number,
      after: number,
      limit: number,
    ) => Effect.Effect<ReadonlyArray<RecordedEvent>, LogUnavailable>;
  }
>()("tidemark/log/EventLog") {}
