import * as fc from "fast-check";

import { ExactObject, lossesIn, readExactly, type ExactJson } from "../json/exact_json.fixture.ts";

/**
 * Bodies of requests as written by hand: any spelling of numbers, texts and keys, any white space and
 * order of fields. They are valid but for what `JSON.parse` would lose.
 */

/** Numbers that are exact as a double. */
const KEPT_NUMBERS = [
  "0",
  "0.0",
  "0e5",
  "-1",
  "1.50",
  "-0.10",
  "-0.5e-3",
  "1e5",
  "1E+2",
  "-12.0e-02",
  "1e20",
  "1e21",
  "1e-7",
  "9007199254740992",
  "-9007199254740991",
  "100000000000000000000000",
  "0.30000000000000004",
  "0.10000000000000001",
  "5e-324",
  "1.7976931348623157e308",
  "17976931348623157e292",
];

/** Numbers that are not exact as a double. */
const LOST_NUMBERS = [
  "-0",
  "-0.0",
  "-0e5",
  "-0.000E-9",
  "1e400",
  "-1e400",
  "1e-400",
  "-1e-400",
  "9007199254740993",
  "12345678901234567890",
  "0.1234567890123456789",
  "1.00000000000000000001",
];

/** The text between two quotes. */
const KEPT_TEXTS = [
  "",
  " ",
  "a",
  "\\u0041",
  "\\ud83d\\ude00",
  "😀",
  "ü€",
  "\\n\\t\\b\\f\\r",
  '\\"\\\\\\/',
  "\\u001f",
  "\\u007f",
  "\\u2028",
  "\u2028",
  "\ufeff",
  "\\ufeff",
  "\\ufffe\\uffff",
  "-0",
  "1e400",
  "{}[],:",
  "number:1",
  "__proto__",
  "\\\\u0000",
];
const LOST_TEXTS = [
  "\\u0000",
  "a\\u0000b",
  "\\u0000number:1",
  "\\ud800",
  "\\uDC00\\ud83d",
  "x\\udfff",
];

/** Keys whose order changes when they are sorted, or that every JavaScript object has. */
const KEYS = [
  "a",
  "b",
  "2",
  "1",
  "10",
  "",
  "ü",
  "constructor",
  "toString",
  "\\u0061",
  "\\u0032",
  "-0",
];
const LOST_KEYS = ["__proto__", "\\u005f_proto__", "\\u0000", "\\ud800"];

const space = fc.constantFrom("", "", "", " ", "\n", "\r\n\t");

/** An object with these members. Its keys repeat only if that is asked for. */
const objectOf = (
  members: ReadonlyArray<readonly [string, string]>,
  gap: string,
  mayRepeat: boolean,
): string => {
  const kept = new Map<string, string>();
  for (const [key, value] of members) {
    // A key with another spelling is the same key.
    const name = mayRepeat ? `${kept.size}` : (JSON.parse(`"${key}"`) as string);
    kept.set(name, `${gap}"${key}"${gap}:${gap}${value}`);
  }
  return `{${[...kept.values()].join(`${gap},`)}${gap}}`;
};

/** JSON values; an odd one contains parts that would be lost. */
const jsonText = (odd: boolean): fc.Arbitrary<string> => {
  const rarely = (kept: ReadonlyArray<string>, lost: ReadonlyArray<string>) =>
    fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom(...kept) },
      { weight: odd ? 4 : 0, arbitrary: fc.constantFrom(...lost) },
    );
  const number = fc.oneof(
    { weight: 3, arbitrary: rarely(KEPT_NUMBERS, LOST_NUMBERS) },
    fc
      .double({ noNaN: true, noDefaultInfinity: true })
      .map((value) => (value === 0 ? "0" : value.toPrecision(17))),
    fc.integer().map((value) => `${value}.000e0`),
  );
  const text = rarely(KEPT_TEXTS, LOST_TEXTS).map((inner) => `"${inner}"`);
  const key = rarely(KEYS, LOST_KEYS);
  const { value } = fc.letrec<{ value: string }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      fc.oneof(number, text, fc.constantFrom("true", "false", "null", "[]", "{}")),
      fc
        .tuple(fc.array(tie("value"), { maxLength: 3 }), space)
        .map(([items, gap]) => `[${items.join(`${gap},${gap}`)}${gap}]`),
      fc
        .tuple(fc.array(fc.tuple(key, tie("value")), { maxLength: 4 }), space, fc.nat(3))
        .map(([members, gap, draw]) => objectOf(members, gap, odd && draw === 0)),
    ),
  }));
  return value;
};

const KEPT_VALUE = jsonText(false);
const ODD_VALUE = jsonText(true);

/** Texts that an identifier may contain. */
const IDENTIFIERS = [
  "ada",
  "\\u0061da",
  "\ufeffada",
  "ü😀",
  "\\ud83d\\ude00",
  "a b",
  '\\"\\\\',
  "-0",
  "constructor",
];

const LOST_IDENTIFIERS = ["\\u0000", "\\ud83d"];

const MINUTE_MS = 60_000;

const timestamp = (now: number): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.integer({ min: now - 86_400_000, max: now }),
      fc.constantFrom("Z", "z", "+00:00", "-00:00", "+0130", "-03:30"),
      fc.constantFrom("", "0", "123", "999999"),
    )
    .map(([ms, offset, digits]) => {
      const minutes = offset === "+0130" ? 90 : offset === "-03:30" ? -210 : 0;
      return `${new Date(ms + minutes * MINUTE_MS).toISOString().slice(0, -1)}${digits}${offset}`;
    });

/**
 * The text of an event.
 *
 * @param now the service's clock, in milliseconds since the Unix epoch
 * @param isOdd whether it may hold what would be lost
 */
const sentEventText = (now: number, isOdd: boolean): fc.Arbitrary<(id: string) => string> => {
  const value = isOdd ? ODD_VALUE : KEPT_VALUE;
  return fc
    .record({
      user: fc.constantFrom(...IDENTIFIERS, ...(isOdd ? LOST_IDENTIFIERS : [])),
      type: fc.constantFrom("login", "\\u006cogin", "custom"),
      timestamp: timestamp(now),
      metadata: fc.option(
        fc.tuple(fc.array(fc.tuple(fc.constantFrom(...KEYS), value), { maxLength: 4 }), fc.nat(30)),
      ),
      gap: space,
      order: fc.nat(5),
      again: fc.constantFrom(
        ...Array.from({ length: 15 }, () => ""),
        ',"type":"login"',
        ',"\\u0074ype":"login"',
        ',"user_id":"eve"',
        ',"metadata":{}',
        ',"__proto__":{"a":1}',
      ),
    })
    .map(({ user, type, timestamp: at, metadata, gap, order, again }) => (id) => {
      const fields: Array<readonly [string, string]> = [
        ["event_id", `"${id}"`],
        ["account_id", '"acme"'],
        ["user_id", `"${user}"`],
        ["type", `"${type}"`],
        ["timestamp", `"${at}"`],
      ];
      if (metadata !== null) {
        const [members, depth] = metadata;
        const inner = objectOf(members, gap, isOdd && depth % 4 === 0);
        // Most are shallow; the others are about as deep as allowed.
        const nested = depth < 24 ? depth % 4 : depth + (isOdd ? 4 : -4);
        fields.push(["metadata", `${'{"d":'.repeat(nested)}${inner}${"}".repeat(nested)}`]);
      }
      const ordered = [...fields.slice(order), ...fields.slice(0, order)];
      const text = objectOf(ordered, gap, false);
      return isOdd ? `${text.slice(0, -1)}${again}}` : text;
    });
};

/** A body of at most so many events, valid except for what would be lost. About half lose nothing. */
export const sentBody = (now: number, eventsMax: number): fc.Arbitrary<string> =>
  fc.boolean().chain((isOdd) => bodyText(now, eventsMax, isOdd));

const bodyText = (now: number, eventsMax: number, isOdd: boolean): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.array(
        fc.oneof(
          { weight: 3, arbitrary: sentEventText(now, false) },
          { weight: isOdd ? 2 : 0, arbitrary: sentEventText(now, true) },
        ),
        { minLength: 1, maxLength: eventsMax },
      ),
      space,
    )
    .map(([events, gap]) => {
      const list = events.map((event, i) => gap + event(`e${i}`)).join(",");
      return `${gap}{${gap}"events"${gap}:[${list}]${gap}}${gap}`;
    });

/** The events of such a body, as sent. */
export const eventsSentIn = (text: string): ReadonlyArray<ExactJson> => {
  const root = readExactly(text);
  if (!(root instanceof ExactObject)) throw new TypeError("no object");
  return root.all("events").flat();
};

const FIELDS = ["event_id", "account_id", "user_id", "type", "timestamp", "metadata"];

/** The paths in a sent event of what would be lost. One of them must be reported. */
export const lossesInEvent = (event: ExactJson): ReadonlyArray<string> => {
  if (!(event instanceof ExactObject)) throw new TypeError("no object");
  const known = event.members.filter(([key]) => FIELDS.includes(key));
  const unknown = event.members.map(([key]) => key).filter((key) => !FIELDS.includes(key));
  return [...unknown, ...lossesIn(new ExactObject(known))];
};

/** The event as it should be returned: its timestamp is the same instant in UTC, truncated to the millisecond. */
export const asGivenBack = (event: ExactJson): ExactJson => {
  if (!(event instanceof ExactObject)) throw new TypeError("no object");
  return new ExactObject(
    event.members.map(([key, value]) => [key, key === "timestamp" ? inUtc(value) : value]),
  );
};

/** `Date.parse` truncates to the millisecond too, but does not know `+0130` and lower-case letters. */
const inUtc = (text: ExactJson): string =>
  new Date((text as string).toUpperCase().replace(/([+-]\d\d)(\d\d)$/, "$1:$2")).toISOString();
