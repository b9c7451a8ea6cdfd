/** What the service promises, as the rules that the end of every world is held to. */
export type Rule =
  | "everything drains"
  | "what was accepted is in the log"
  | "only what was sent is in the log"
  | "an identity is in the log once"
  | "positions are dense"
  | "read models are the fold of the log"
  | "only what cannot be folded is poisoned"
  | "summaries count the log"
  | "a summary is of a state of the log"
  | "only what cannot be stored is dead"
  | "the counts of jobs add up"
  | "nothing is accepted while nobody knows how much waits"
  | "quotas spend what is accepted";

/** A rule that does not hold, and where. */
export interface Complaint {
  readonly rule: Rule;
  readonly about: string;
}

/** Complains about everything that is wrong by one rule. */
export const complain = (rule: Rule, about: ReadonlyArray<string>): ReadonlyArray<Complaint> =>
  about.map((one) => ({ rule, about: one }));
