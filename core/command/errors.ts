import { Data } from "effect";

import type { Issue } from "../event/decode.ts";

/** The body is not JSON; `message` is a sentence that says why, and where. */
export class JsonMalformed extends Data.TaggedError("JsonMalformed")<{
  readonly message: string;
}> {}

/** The body is not `{ "events": [...] }`. */
export class BatchMalformed extends Data.TaggedError("BatchMalformed")<{
  readonly issues: ReadonlyArray<Issue>;
}> {}

/** The batch holds no event. */
export class BatchEmpty extends Data.TaggedError("BatchEmpty")<object> {}

/** The batch holds more than `BATCH_EVENTS_MAX` events. */
export class BatchTooLarge extends Data.TaggedError("BatchTooLarge")<object> {}

/** The body holds more than `BATCH_TOKENS_MAX` values and keys. */
export class BatchTooComplex extends Data.TaggedError("BatchTooComplex")<object> {}

/** The events of the batch take more than `BATCH_BYTES_MAX` bytes together once they are decoded. */
export class BatchBytesExceeded extends Data.TaggedError("BatchBytesExceeded")<{
  readonly bytes: number;
}> {}

/** At least one event of the batch is invalid, so nothing of the batch is recorded. */
export class EventInvalid extends Data.TaggedError("EventInvalid")<{
  /** The first `ISSUES_MAX` issues, in the order of the events. */
  readonly issues: ReadonlyArray<Issue>;
}> {}

/** At least one event is of an account that its sender may not write to, so nothing is recorded. */
export class AccountsForbidden extends Data.TaggedError("AccountsForbidden")<object> {}

/** Every way in which what was sent can be wrong. */
export type BatchRejected =
  | JsonMalformed
  | BatchMalformed
  | BatchEmpty
  | BatchTooLarge
  | BatchTooComplex
  | EventInvalid;
