import type { Period } from "./summarise_account.ts";

/** What a summary is asked for. */
export interface Question {
  readonly accountId: string;
  readonly period: Period;
  /** How many of the most active users to name. */
  readonly top: number;
}

/** A summary as it is kept: its text, and what must be known to tell whether it may still be given. */
export interface Answer {
  /** What is sent. It says itself which range it is about, so it is right however long it is kept. */
  readonly text: string;
  /** The shard of its account, and the shard's checkpoint that it is of. */
  readonly shard: number;
  readonly checkpoint: number;
  /** The generation of the read models that it was read from: a later one may say otherwise. */
  readonly generation: number;
  /** Everything recorded before this instant is counted, in milliseconds since the Unix epoch. */
  readonly asOf: number;
  /** When it was read from the read models; later than `asOf` while the projector lags. */
  readonly readAt: number;
}

/** Questions with the same key have the same answer. Identifiers hold no control characters. */
export const keyOf = ({ accountId, period, top }: Question): string =>
  typeof period === "string"
    ? `${accountId}\n${period}\n${top}`
    : `${accountId}\n${period.from}..${period.to}\n${top}`;
