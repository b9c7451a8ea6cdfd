import { randomUUID } from "node:crypto";

/** What an event holds beside its account. */
interface Event {
  readonly account: string;
  readonly id: string;
  readonly user?: string;
  /** As JSON. */
  readonly metadata?: string;
}

/** The most that the service takes of a body, before and after decompression. */
export const BODY_BYTES_MAX = 1_048_576;

/** The most that the service takes of an event, with a margin for all but its metadata. */
const METADATA_BYTES_MAX = 32_000;

let made = 0;
const run = randomUUID();

/** An id that no event has had. */
export const newId = (): string => `${run}-${made++}`;

const eventText = ({ account, id, user = "user-0", metadata }: Event): string =>
  `{"event_id":"${id}","account_id":"${account}","user_id":"${user}","type":"custom",` +
  `"timestamp":"${new Date().toISOString()}"${
    metadata === undefined ? "" : `,"metadata":${metadata}`
  }}`;

/** The body of a request with these events. */
export const bodyOf = (events: ReadonlyArray<Event>): string =>
  `{"events":[${events.map(eventText).join(",")}]}`;

/** A body of so many small new events. */
export const smallEvents = (count: number, account: () => string): string =>
  bodyOf(
    Array.from({ length: count }, (_, i) => ({
      account: account(),
      id: newId(),
      user: `user-${i % 100}`,
    })),
  );

/** How many events with the longest metadata a body has room for. */
const LARGE_EVENTS = Math.floor(BODY_BYTES_MAX / (METADATA_BYTES_MAX + 300));

/** A body of just under a mebibyte of valid events whose metadata are as long as they may be. */
export const largeEvents = (account: string, metadata: string): string =>
  bodyOf(Array.from({ length: LARGE_EVENTS }, () => ({ account, id: newId(), metadata })));

/** Metadata as long as they may be: one text. */
export const longText = (): string => `{"text":"${"x".repeat(METADATA_BYTES_MAX - 20)}"}`;

/** Metadata as long as they may be: an array of as many numbers as fit. */
export const wideArray = (): string => `{"wide":[${"0,".repeat(METADATA_BYTES_MAX / 2 - 20)}0]}`;

/** Metadata as long as they may be: as many short keys as fit, in the reverse of the order that canonical JSON has. */
export const unsortedKeys = (): string => {
  const keys = Array.from({ length: METADATA_BYTES_MAX / 8 - 10 }, (_, i) =>
    i.toString(36).padStart(3, "0"),
  );
  return `{${keys
    .toReversed()
    .map((key) => `"${key}":0`)
    .join(",")}}`;
};

/** A mebibyte of numbers with an exponent where events should be: refused, but not before it has been looked at. */
export const exponents = (): string => `{"events":[${"1e1,".repeat(BODY_BYTES_MAX / 4 - 8)}1e1]}`;

/** A mebibyte, nearly all of it space around one valid event. */
export const spaces = (account: string): string => {
  const text = bodyOf([{ account, id: newId() }]);
  return text + " ".repeat(BODY_BYTES_MAX - text.length);
};
