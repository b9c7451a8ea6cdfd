import { z } from "zod";

import { hash53 } from "../../../core/event/hash.ts";
import { EVENT_TYPE_PATTERN } from "../../../core/event/rules.ts";
import type { EventsCursor } from "../../../core/query/list_events.ts";

// Years of four digits: the database parses others differently.
const instant = z
  .int()
  .min(Date.parse("0001-01-01T00:00:00.000Z"))
  .max(Date.parse("9999-12-31T23:59:59.999Z"));
const position = z.int().min(0);

/** Occurred at, position, up to, as of, from, to, type, and a checksum with the account. */
const CONTENT = z.tuple([
  instant,
  position,
  position,
  instant,
  instant.nullable(),
  instant.nullable(),
  z.string().regex(EVENT_TYPE_PATTERN).nullable(),
  z.int(),
]);

/** How far the clocks of processes and the database may differ. */
const CLOCKS_APART_MS_MAX = 60_000;

/** No event is further ahead of its recording (the maximum of `EVENT_FUTURE_MAX_SECONDS`). */
const EVENT_FUTURE_MS_MAX = 86_400_000;

/** Whether a page can end like this: a response must not repeat times that a client made up. */
const isPossible = ({ before, upTo, asOf, filter: { from, to } }: EventsCursor, now: number) =>
  asOf <= now + CLOCKS_APART_MS_MAX &&
  before.occurredAt <= asOf + EVENT_FUTURE_MS_MAX + CLOCKS_APART_MS_MAX &&
  before.position <= upTo &&
  (from === null || from <= before.occurredAt) &&
  (to === null || before.occurredAt < to);

/**
 * A cursor as opaque text. It is not secret and grants nothing: a forged one shows only what the
 * route shows anyway. The checksum detects mistakes, such as the cursor of another account, which
 * would otherwise yield the wrong events.
 */
export const writeCursor = (cursor: EventsCursor, accountId: string): string => {
  const { before, upTo, asOf, filter } = cursor;
  const { from, to, type } = filter;
  const values = [before.occurredAt, before.position, upTo, asOf, from, to, type];
  const content = [...values, checksum(values, accountId)];
  return Buffer.from(JSON.stringify(content)).toString("base64url");
};

/**
 * Parses a cursor of this account, exactly as it was written. Returns undefined for anything else,
 * including a cursor that no page can have had until now.
 *
 * @param now Unix milliseconds
 */
export const readCursor = (
  text: string,
  accountId: string,
  now: number,
): EventsCursor | undefined => {
  const parsed = CONTENT.safeParse(parse(Buffer.from(text, "base64url").toString()));
  if (!parsed.success) return undefined;
  const [occurredAt, before, upTo, asOf, from, to, type] = parsed.data;
  const cursor: EventsCursor = {
    before: { occurredAt, position: before },
    upTo,
    asOf,
    filter: { from, to, type },
  };
  return isPossible(cursor, now) && writeCursor(cursor, accountId) === text ? cursor : undefined;
};

/** Its version must change whenever the meaning of the values does. */
const checksum = (values: ReadonlyArray<unknown>, accountId: string): number =>
  hash53(`events cursor 1\n${accountId}\n${JSON.stringify(values)}`);

const parse = (json: string): unknown => {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
};
