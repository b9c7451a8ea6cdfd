import type { Accepted } from "../../../core/command/record_events.ts";

/** An event as a client sends it. */
export interface SentEvent {
  readonly event_id: string;
  readonly account_id: string;
  readonly user_id: string;
  readonly type: string;
  readonly timestamp: string;
}

/** What a client was told of a request in the end. Unknown: it never got an answer, and gave up. */
export type Outcome =
  | { readonly _tag: "Unknown" }
  | { readonly _tag: "Rejected" }
  | { readonly _tag: "Accepted"; readonly accepted: Accepted };

/** One request: the same events, however often it was sent. */
export interface Request {
  readonly events: ReadonlyArray<SentEvent>;
  outcome: Outcome;
}

/** What all clients sent and were told: what the service is held to. */
export interface Ledger {
  readonly requests: Request[];
  /** Every event that was ever sent, repetitions included. */
  readonly events: SentEvent[];
  /** Notes a request that is about to be sent for the first time. */
  readonly open: (events: ReadonlyArray<SentEvent>) => Request;
}

export const makeLedger = (): Ledger => {
  const requests: Request[] = [];
  const sent: SentEvent[] = [];
  return {
    requests,
    events: sent,
    open: (events) => {
      const request: Request = { events, outcome: { _tag: "Unknown" } };
      requests.push(request);
      sent.push(...events);
      return request;
    },
  };
};
