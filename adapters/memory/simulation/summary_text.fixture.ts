import type { AccountSummary } from "../../../core/query/summarise_account.ts";

/** A summary as it is sent, for reading it again. */
export interface SentSummary extends Pick<
  AccountSummary,
  "accountId" | "topUsers" | "range" | "asOf" | "checkpoint"
> {
  readonly totals: ReadonlyArray<readonly [type: string, events: number]>;
}

export const present = ({ totals, ...summary }: AccountSummary): string =>
  JSON.stringify({ ...summary, totals: [...totals] } satisfies SentSummary);

export const readSummary = (text: string): SentSummary => JSON.parse(text) as SentSummary;
