import { randomUUID } from "node:crypto";

interface Event {
  readonly account: string;
  readonly id: string;
  readonly user?: string;
  /** As JSON. */
  readonly metadata?: string;
}

/** The largest body that the service accepts, before and after decompression. */
export const BODY_BYTES_MAX = 1_048_576;

/** The largest metadata that the service accepts, with a margin for the rest of the event. */
const METADATA_BYTES_MAX = 32_000;

let made = 0;
const run = randomUUID();

/** A new event id. */
export const newId = (): string => `${run}-${made++}`;

const eventText = ({ account, id, user = "user-0", metadata }: Event): string =>
  `{"event_id":"${id}","account_id":"${account}","user_id":"${user}","type":"custom",` +
  `"timestamp":"${new Date().toISOString()}"${
    metadata === undefined ? "" : `,"metadata":${metadata}`
  }}`;

/** The body of a request with these events. */
export const bodyOf = (events: ReadonlyArray<Event>): string =>
  `{"events":[${events.map(eventText).join(",")}]}`;

/** A body with this many small new events. */
export const smallEvents = (count: number, account: () => string): string =>
  bodyOf(
    Array.from({ length: count }, (_, i) => ({
      account: account(),
      id: newId(),
      user: `user-${i % 100}`,
    })),
  );

/** How many events with the largest metadata fit into a body. */
const LARGE_EVENTS = Math.floor(BODY_BYTES_MAX / (METADATA_BYTES_MAX + 300));

/** A body of nearly one mebibyte: valid events with large metadata. */
export const largeEvents = (account: string, metadata: string): string =>
  bodyOf(Array.from({ length: LARGE_EVENTS }, () => ({ account, id: newId(), metadata })));

/** The largest metadata: one string. */
export const longText = (): string => `{"text":"${"x".repeat(METADATA_BYTES_MAX - 20)}"}`;

/** The largest metadata: an array of as many numbers as fit. */
export const wideArray = (): string => `{"wide":[${"0,".repeat(METADATA_BYTES_MAX / 2 - 20)}0]}`;

/** The largest metadata: as many short keys as fit, in reverse order, so that canonical JSON must sort them. */
export const unsortedKeys = (): string => {
  const keys = Array.from({ length: METADATA_BYTES_MAX / 8 - 10 }, (_, i) =>
    i.toString(36).padStart(3, "0"),
  );
  return `{${keys
    .toReversed()
    .map((key) => `"${key}":0`)
    .join(",")}}`;
};

/** A mebibyte of numbers with exponents instead of events: refused, but only after parsing. */
export const exponents = (): string => `{"events":[${"1e1,".repeat(BODY_BYTES_MAX / 4 - 8)}1e1]}`;

/** A mebibyte of spaces after one valid event. */
export const spaces = (account: string): string => {
  const text = bodyOf([{ account, id: newId() }]);
  return text + " ".repeat(BODY_BYTES_MAX - text.length);
};
