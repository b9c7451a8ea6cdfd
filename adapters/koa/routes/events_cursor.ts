import { z } from "zod";

import { hash53 } from "../../../core/event/hash.ts";
import { EVENT_TYPE_PATTERN } from "../../../core/event/types.ts";
import type { EventsCursor } from "../../../core/query/list_events.ts";

// Years of four digits, beyond which the database reads timestamps in another way.
const instant = z
  .int()
  .min(Date.parse("0001-01-01T00:00:00.000Z"))
  .max(Date.parse("9999-12-31T23:59:59.999Z"));
const position = z.int().min(0);

/** Occurred at, position, up to, as of, from, to, type; and a checksum with the account. */
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

/** How far the clocks of processes and of the database may be apart. */
const CLOCKS_APART_MS_MAX = 60_000;

/** No event lies further ahead of when it was recorded (`EVENT_FUTURE_MAX_SECONDS` at most). */
const EVENT_FUTURE_MS_MAX = 86_400_000;

/** Whether a list can have a page that ends so: what a client makes up must not come back as if we had said it. */
const isPossible = ({ before, upTo, asOf, filter: { from, to } }: EventsCursor, now: number) =>
  asOf <= now + CLOCKS_APART_MS_MAX &&
  before.occurredAt <= asOf + EVENT_FUTURE_MS_MAX + CLOCKS_APART_MS_MAX &&
  before.position <= upTo &&
  (from === null || from <= before.occurredAt) &&
  (to === null || before.occurredAt < to);

/**
 * A cursor as opaque text. It is not secret and gives no right: whoever makes one up sees what the route
 * shows anyway. The checksum is there so that a mistake, such as the cursor of another account, is refused
 * instead of answered with the wrong events.
 */
export const writeCursor = (cursor: EventsCursor, accountId: string): string => {
  const { before, upTo, asOf, filter } = cursor;
  const { from, to, type } = filter;
  const values = [before.occurredAt, before.position, upTo, asOf, from, to, type];
  const content = [...values, checksum(values, accountId)];
  return Buffer.from(JSON.stringify(content)).toString("base64url");
};

/**
 * Reads a cursor of this account, exactly as it was written; undefined for everything else, also for one that no page can
 * have had until now.
 *
 * @param now milliseconds since the Unix epoch
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

/** The version changes with the meaning of the values. */
const checksum = (values: ReadonlyArray<unknown>, accountId: string): number =>
  hash53(`events cursor 1\n${accountId}\n${JSON.stringify(values)}`);

const parse = (json: string): unknown => {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
};
