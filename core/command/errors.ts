import { Data } from "effect";

import type { Issue } from "../event/decode.ts";

/** The body is not JSON. `message` is a sentence that says why, and where. */
export class JsonMalformed extends Data.TaggedError("JsonMalformed")<{
  readonly message: string;
}> {}

/** The body is not `{ "events": [...] }`. */
export class BatchMalformed extends Data.TaggedError("BatchMalformed")<{
  readonly issues: ReadonlyArray<Issue>;
}> {}

/** The batch contains no events. */
export class BatchEmpty extends Data.TaggedError("BatchEmpty")<object> {}

/** The batch contains more than `BATCH_EVENTS_MAX` events. */
export class BatchTooLarge extends Data.TaggedError("BatchTooLarge")<object> {}

/** The body contains more than `BATCH_TOKENS_MAX` values and keys. */
export class BatchTooComplex extends Data.TaggedError("BatchTooComplex")<object> {}

/** The decoded events of the batch together take more than `BATCH_BYTES_MAX` bytes. */
export class BatchBytesExceeded extends Data.TaggedError("BatchBytesExceeded")<{
  readonly bytes: number;
}> {}

/** At least one event of the batch is invalid, so none is recorded. */
export class EventInvalid extends Data.TaggedError("EventInvalid")<{
  /** The first `ISSUES_MAX` issues, in the order of the events. */
  readonly issues: ReadonlyArray<Issue>;
}> {}

/** The sender has no access to the account of at least one event, so none is recorded. */
export class AccountsForbidden extends Data.TaggedError("AccountsForbidden")<object> {}

/** Every reason to reject a body. */
export type BatchRejected =
  | JsonMalformed
  | BatchMalformed
  | BatchEmpty
  | BatchTooLarge
  | BatchTooComplex
  | EventInvalid;
