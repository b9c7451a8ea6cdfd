import type { Invalidation } from "../../core/projection/invalidations.ts";

/** An invalidation as it goes over the channel. */
export interface Sent {
  /** Which process sent it: its own listeners have heard it. */
  readonly sender: string;
  readonly invalidation: Invalidation;
}

export const writeInvalidation = (sent: Sent): string => JSON.stringify(sent);

/** Reads a message; undefined for anything else that somebody publishes on the channel. */
export const readInvalidation = (message: string): Sent | undefined => {
  let value: unknown;
  try {
    value = JSON.parse(message);
  } catch {
    return undefined;
  }
  const { sender, invalidation } = fieldsOf<Sent>(value);
  return typeof sender === "string" && isInvalidation(invalidation)
    ? { sender, invalidation }
    : undefined;
};

const isInvalidation = (value: unknown): value is Invalidation => {
  const { shard, accounts, lo, hi } = fieldsOf<Invalidation>(value);
  return (
    [shard, lo, hi].every((number) => Number.isSafeInteger(number) && Number(number) >= 0) &&
    Array.isArray(accounts) &&
    accounts.every((account) => typeof account === "string")
  );
};

/** The fields of what should be a record, of which nothing else is known. */
const fieldsOf = <A>(value: unknown): Partial<Record<keyof A, unknown>> => value ?? {};
