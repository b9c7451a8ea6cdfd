import { Data } from "effect";

/** The database cannot be used without a person: what it is or holds and the settings contradict each other. */
export class DatabaseUnusable extends Data.TaggedError("DatabaseUnusable")<{
  readonly message: string;
}> {}
