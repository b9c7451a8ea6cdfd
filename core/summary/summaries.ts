import { Context, Data, type Effect } from "effect";

import type { ReadRefused } from "../fair/client_semaphore.ts";
import type { StoreFailure } from "../store_failure.ts";
import type { Range } from "./range.ts";
import type { Summary } from "./summary.ts";

/** Summaries cannot be read. */
export class SummariesUnavailable extends Data.TaggedError("SummariesUnavailable")<StoreFailure> {}

/** Reads summaries from the read models. */
export class Summaries extends Context.Service<
  Summaries,
  {
    /**
     * The summary of an account over a range, exactly as `summarise` defines it, as of the
     * projection's checkpoint. An unknown account has an empty one.
     *
     * @param top how many of the most active users to name
     */
    readonly summary: (
      accountId: string,
      range: Range,
      top: number,
    ) => Effect.Effect<Summary, SummariesUnavailable | ReadRefused>;
    /**
     * At most `limit` accounts that have events, from all shards, whose ids start with `prefix`. Does not
     * read the log.
     */
    readonly sampleAccounts: (
      limit: number,
      prefix: string,
    ) => Effect.Effect<ReadonlyArray<string>, SummariesUnavailable | ReadRefused>;
  }
>()("tidemark/summary/Summaries") {}
