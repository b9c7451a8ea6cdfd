import { Clock, Effect } from "effect";

import { type Range, rangeOf, type WindowName } from "../summary/range.ts";
import { Summaries } from "../summary/summaries.ts";
import type { Summary } from "../summary/summary.ts";

/** The time that a summary covers: a rolling window, or any range. */
export type Period = WindowName | Range;

/** How many of the most active users a summary names: by default, and at most. */
export const TOP_USERS_DEFAULT = 10;
export const TOP_USERS_MAX = 100;

/** The answer to "what happened in this account, and who did it?" */
export interface AccountSummary extends Summary {
  readonly accountId: string;
  readonly window: WindowName | "custom";
  readonly range: Range;
}

/**
 * The query for an account's summary.
 *
 * @errors `SummariesUnavailable`
 */
export const summariseAccount = Effect.fnUntraced(function* (
  accountId: string,
  period: Period,
  top: number,
) {
  const named = typeof period === "string";
  const range = named ? rangeOf(period, yield* Clock.currentTimeMillis) : period;
  const summaries = yield* Summaries;
  const summary = yield* summaries.summary(accountId, range, top);
  const answer: AccountSummary = {
    accountId,
    window: named ? period : "custom",
    range,
    ...summary,
  };
  return answer;
});
