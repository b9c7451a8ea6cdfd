import * as fc from "fast-check";

import type { JsonSchema } from "./json_schema.ts";

const DAY_MS = 86_400_000;

/** Depth of values of recursive schemas. */
const DEPTH_MAX = 4;

type Schemas = Readonly<Record<string, JsonSchema>>;

/**
 * Values that fit a schema and its descriptions, such as instants of the last nine years. Supports
 * the keywords that the document uses.
 *
 * @param now Unix milliseconds
 */
export const fitting = (
  schema: JsonSchema,
  schemas: Schemas,
  now: number,
  depth = 0,
): fc.Arbitrary<unknown> => {
  const inner = (other: JsonSchema = {}) => fitting(other, schemas, now, depth + 1);
  const { $ref, anyOf, enum: values } = schema;
  if ($ref !== undefined) {
    return fitting(schemas[$ref.slice($ref.lastIndexOf("/") + 1)] ?? {}, schemas, now, depth);
  }
  if (values !== undefined) return fc.constantFrom<unknown>(...values);
  if ("const" in schema) return fc.constant(schema.const);
  if (anyOf !== undefined) {
    const [first, ...others] = anyOf;
    return depth >= DEPTH_MAX ? inner(first) : fc.oneof(inner(first), ...others.map(inner));
  }
  const types = [schema.type].flat();
  return fc.oneof(
    ...types.map((type): fc.Arbitrary<unknown> => {
      switch (type) {
        case "null":
          return fc.constant(null);
        case "boolean":
          return fc.boolean();
        case "number":
          return fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer());
        case "integer":
          return fc.integer({
            min: schema.minimum ?? -1_000,
            max: schema.maximum ?? 100_000,
          });
        case "string":
          return text(schema, now);
        case "array":
          return fc.array(inner(schema.items), {
            minLength: schema.minItems ?? 0,
            maxLength: Math.min(schema.maxItems ?? 4, 4),
          });
        case "object":
          return object(schema, inner);
        case undefined:
        default:
          throw new Error(`no values are made of the schema ${JSON.stringify(schema)}`);
      }
    }),
  );
};

const object = (
  { properties = {}, required = [], additionalProperties }: JsonSchema,
  inner: (schema: JsonSchema) => fc.Arbitrary<unknown>,
): fc.Arbitrary<unknown> => {
  const named = Object.entries(properties).map(([name, value]) => [name, inner(value)]);
  const fields = fc.record(Object.fromEntries(named) as Record<string, fc.Arbitrary<unknown>>, {
    requiredKeys: [...required],
    noNullPrototype: true,
  });
  if (additionalProperties === true) return storable.object;
  if (typeof additionalProperties !== "object") return fields;
  return fc.dictionary(text({}, 0), inner(additionalProperties), NEW_OBJECT);
};

const NEW_OBJECT = { maxKeys: 4, noNullPrototype: true } as const;

/** Made once each, since it takes a while to find the characters of a negated class. */
const matching = new Map<string, fc.Arbitrary<string>>();

const stringMatching = (pattern: string): fc.Arbitrary<string> => {
  const made = matching.get(pattern) ?? fc.stringMatching(new RegExp(pattern, "u"));
  matching.set(pattern, made);
  return made;
};

const text = (
  { format, pattern, minLength, maxLength }: JsonSchema,
  now: number,
): fc.Arbitrary<string> => {
  if (format === "date-time") return instant(now);
  const regExp = new RegExp(pattern ?? "^", "u");
  const min = minLength ?? 0;
  const max = maxLength ?? 1_000;
  // The longest ones, in characters of several code units or bytes.
  const longest = ["x", "é", "😀"].map((character) =>
    character.repeat(maxLength === undefined ? 9 : max),
  );
  return fc
    .oneof(
      stringMatching(regExp.source),
      fc.string({ unit: "binary", maxLength: 12 }),
      fc.string({ unit: "grapheme", maxLength: 12 }),
      fc.constantFrom("a", "null", " ", "%", "a b", "a/b", "__proto__", '"', "\\", ...longest),
      fc.constantFrom(".", "..", "...", ".a", "..a"),
    )
    .filter((made) => {
      const { length } = Array.from(made);
      return length >= min && length <= max && regExp.test(made);
    });
};

/** Any JSON that can be stored unchanged, as the description of an open object says. */
const storable = fc.letrec<{
  readonly object: Readonly<Record<string, unknown>>;
  readonly value: unknown;
}>((tie) => {
  const string = text({ pattern: "^[^\\u0000\\ud800-\\udfff]*$" }, 0);
  return {
    object: fc.dictionary(
      string.filter((name) => name !== "__proto__"),
      tie("value"),
      NEW_OBJECT,
    ),
    value: fc.oneof(
      { maxDepth: DEPTH_MAX },
      fc.constantFrom(null, true, false),
      fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer()),
      string,
      fc.array(tie("value"), { maxLength: 4 }),
      tie("object"),
    ),
  };
});

/** An instant of the last nine years, in any notation. */
const instant = (now: number): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.integer({ min: now - 9 * 365 * DAY_MS, max: now }),
      fc.constantFrom(0, 60, -210, 345, 840, -720),
      fc.constantFrom("+hh:mm", "+hhmm", "Z"),
      fc.constantFrom("seconds", "milliseconds", "nanoseconds", "minutes"),
    )
    .map(([ms, minutes, offset, precision]) => {
      const local = new Date(ms + (offset === "Z" ? 0 : minutes * 60_000)).toISOString();
      const clock = {
        minutes: local.slice(0, 16),
        seconds: local.slice(0, 19),
        milliseconds: local.slice(0, 23),
        nanoseconds: `${local.slice(0, 23)}123456`,
      }[precision];
      if (offset === "Z") return `${clock}Z`;
      const two = (n: number): string => String(n).padStart(2, "0");
      const size = Math.abs(minutes);
      const colon = offset === "+hhmm" ? "" : ":";
      return `${clock}${minutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}${colon}${two(size % 60)}`;
    });

const deep = (levels: number): unknown => JSON.parse(`${"[".repeat(levels)}1${"]".repeat(levels)}`);

/** Edge cases that fit hardly anywhere, or only just. */
const HOSTILE: ReadonlyArray<unknown> = [
  null,
  true,
  0,
  -1,
  1.5,
  1e21,
  Number.MAX_SAFE_INTEGER + 1,
  "",
  " ",
  ".",
  "..",
  "...",
  "..a",
  "\u0000",
  "a\nb",
  "\u009f",
  "\ud800",
  "\udc00x",
  "😀",
  "x".repeat(255),
  "x".repeat(256),
  "😀".repeat(255),
  "😀".repeat(256),
  "x".repeat(33_000),
  "login",
  "Login",
  [],
  ["x"],
  {},
  { a: 1 },
  JSON.parse('{"__proto__":1}'),
  JSON.parse('{"a":{"__proto__":{"polluted":true}}}'),
  { constructor: { prototype: { polluted: true } } },
  { "\u0000": 1 },
  { "\ud800": 1 },
  deep(30),
  deep(31),
  deep(32),
  { deep: deep(31) },
  { deep: deep(32) },
  "2026-02-30T00:00:00Z",
  "2025-02-29T00:00:00Z",
  "2024-02-29T00:00:00Z",
  "2026-13-01T00:00:00Z",
  "2026-01-01T24:00:00Z",
  "2026-01-01T23:59:60Z",
  "2026-01-01T00:00:00",
  "2026-01-01t00:00:00,5z",
  "2026-01-01T00:00:00.1234567890Z",
  "2026-01-01T00:00:00+24:00",
  "2026-01-01",
  "0000-01-01T00:00:00Z",
  "9999-12-31T23:59:59Z",
];

/** A change somewhere in a JSON value. */
export interface Mutation {
  readonly at: number;
  readonly kind: "replace" | "remove" | "add" | "double" | "insert";
  readonly value: unknown;
  readonly name: string;
}

export const mutation: fc.Arbitrary<Mutation> = fc.record({
  at: fc.nat({ max: 10_000 }),
  kind: fc.constantFrom("replace", "remove", "add", "double", "insert"),
  value: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...HOSTILE) },
    { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
  ),
  name: fc.constantFrom(
    "metadata",
    "events",
    "extra",
    "Event_id",
    "__proto__",
    "",
    "\u0000",
    "type ",
  ),
});

/** A copy of the value with the mutation applied. */
export const mutate = (value: unknown, { at, kind, value: other, name }: Mutation): unknown => {
  const copy: unknown = structuredClone({ root: value });
  const places = placesIn(copy);
  const place = places[at % places.length];
  if (place === undefined) return value;
  const { holder, key } = place;
  const now = holder[key];
  switch (kind) {
    case "replace":
      set(holder, key, other);
      break;
    case "remove":
      if (Array.isArray(holder)) holder.splice(Number(key), 1);
      else if (places[0] !== place) delete holder[key];
      break;
    case "add":
      if (typeof now === "object" && now !== null) set(now as Holder, name, other);
      else set(holder, key, [now]);
      break;
    case "double":
      if (Array.isArray(holder)) holder.push(structuredClone(now));
      else if (typeof now === "string") holder[key] = now + now;
      else set(holder, key, { [key]: now });
      break;
    case "insert":
      if (typeof now !== "string") set(holder, key, JSON.stringify(now) ?? "");
      else
        holder[key] =
          `${now.slice(0, at % (now.length + 1))}${name}${now.slice(at % (now.length + 1))}`;
      break;
  }
  return (copy as { root: unknown }).root;
};

type Holder = Record<string, unknown>;

/** Like `JSON.parse`: sets a field of that name, not the prototype. */
const set = (holder: Holder, key: string, value: unknown): void => {
  if (Array.isArray(holder) && !/^\d+$/.test(key)) holder.push(value);
  else
    Object.defineProperty(holder, key, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
};

const placesIn = (root: unknown): Array<{ readonly holder: Holder; readonly key: string }> => {
  const places: Array<{ readonly holder: Holder; readonly key: string }> = [];
  const walk = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    for (const key of Object.keys(value)) {
      places.push({ holder: value as Holder, key });
      walk((value as Holder)[key]);
    }
  };
  walk(root);
  return places;
};
