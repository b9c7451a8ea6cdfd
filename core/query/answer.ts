import { Context, type Effect } from "effect";

import type { Period } from "./summarise_account.ts";

/** A question that a summary answers. */
export interface Question {
  readonly accountId: string;
  readonly period: Period;
  /** How many of the most active users to name. */
  readonly top: number;
}

/** A cached summary: its text, and what decides whether it may still be served. */
export interface Answer {
  /** The body that is sent. It names its own range, so its age does not make it wrong. */
  readonly text: string;
  /** The shard of its account, and the shard's checkpoint that it shows. */
  readonly shard: number;
  readonly checkpoint: number;
  /** The generation of the read models that it was read from. A later one may differ. */
  readonly generation: number;
  /** All events recorded before this instant are counted, in milliseconds since the Unix epoch. */
  readonly asOf: number;
  /** When it was read from the read models; later than `asOf` if the projection lags. */
  readonly readAt: number;
}

/** Questions with the same key have the same answer. Identifiers contain no control characters. */
export const keyOf = ({ accountId, period, top }: Question): string =>
  typeof period === "string"
    ? `${accountId}\n${period}\n${top}`
    : `${accountId}\n${period.from}..${period.to}\n${top}`;

/** The answers of this process: synchronous, and limited in bytes. May evict any of them at any time. */
export interface AnswerMemory {
  readonly get: (key: string) => Answer | undefined;
  readonly put: (key: string, answer: Answer) => void;
}

/**
 * Answers that processes share. It may evict any of them, or return one that was replaced: the reader decides whether to
 * use it. The calls never fail, and end within a short deadline.
 */
export class AnswerStore extends Context.Service<
  AnswerStore,
  {
    readonly get: (key: string) => Effect.Effect<Answer | undefined>;
    /** @param forMs how long it can be used, in milliseconds */
    readonly put: (key: string, answer: Answer, forMs: number) => Effect.Effect<void>;
  }
>()("tidemark/query/AnswerStore") {}
