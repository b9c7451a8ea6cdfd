import { gzipSync } from "node:zlib";

import * as fc from "fast-check";

import { mutate, mutation } from "./arbitrary.fixture.ts";
import { ENCODINGS, escaped, type FuzzRequest } from "./request.fixture.ts";

interface Space {
  readonly keys: ReadonlyArray<string>;
  readonly canary: string;
}

/** A change to a request. */
export type Damage = (request: FuzzRequest) => FuzzRequest;

/** Methods, targets, headers and bodies that are not in the document. */
export const damage = (space: Space): fc.Arbitrary<Damage> =>
  fc.oneof(
    { weight: 1, arbitrary: otherMethod },
    { weight: 3, arbitrary: otherTarget(space) },
    { weight: 3, arbitrary: otherHeaders(space) },
    { weight: 5, arbitrary: otherBody },
  );

const otherMethod: fc.Arbitrary<Damage> = fc
  .constantFrom(
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "PROPFIND",
    "QUERY",
    "PURGE",
    "get",
    "G\u0000T",
    "GETX",
    "",
  )
  .map((method) => (request) => ({ ...request, method }));

/** Any characters. Made once, since that takes half a second. */
const anyText = fc.string({ unit: "binary", maxLength: 6 });

/** Printable ASCII, which HTTP allows. */
const printable = fc.string({ unit: fc.integer({ min: 33, max: 126 }).map(String.fromCharCode) });

const otherTarget = ({ canary }: Space): fc.Arbitrary<Damage> => {
  const odd = fc.oneof(
    printable,
    anyText.map(escaped),
    fc.constantFrom(
      "%",
      "%00",
      "%2F",
      "%zz",
      "%C0%AF",
      "%ED%A0%80",
      "..",
      "/",
      "//",
      "?",
      "#",
      ";",
    ),
    fc.constantFrom("0", "-1", "1e9", "99999999999999999999", "null", "__proto__", "[]", "%0A"),
    fc.constantFrom("x".repeat(300), "9".repeat(5_000), "a=1&".repeat(500), "y".repeat(20_000)),
  );
  const name = fc.constantFrom(
    "window",
    "from",
    "to",
    "top",
    "limit",
    "cursor",
    "interval",
    "type",
    "Top",
    "limit[]",
    "__proto__",
    "constructor",
    "",
  );
  return fc.oneof(
    // Inserts or replaces something.
    fc.tuple(fc.nat(), fc.nat({ max: 3 }), odd).map(([at, length, text]): Damage => (request) => {
      const start = at % (request.target.length + 1);
      const target = request.target.slice(0, start) + text + request.target.slice(start + length);
      return { ...request, target };
    }),
    // Adds a parameter, perhaps a repeated one.
    fc.tuple(name, odd).map(([key, value]): Damage => (request) => ({
      ...request,
      target: `${request.target}${request.target.includes("?") ? "&" : "?"}${key}=${value}`,
    })),
    fc.tuple(odd, odd).map(([id, parameters]): Damage => (request) => ({
      ...request,
      target: `/accounts/${id}/events?${parameters}`,
    })),
    odd.map((target): Damage => (request) => ({ ...request, target })),
    fc.constant<Damage>((request) => ({ ...request, target: `http://x${request.target}` })),
    fc.constant<Damage>((request) => ({ ...request, target: `${request.target}/` })),
    fc.constant<Damage>((request) => ({ ...request, target: request.target.toUpperCase() })),
    fc.constant<Damage>((request) => ({
      ...request,
      method: "GET",
      target: `/accounts/${escaped(canary)}/summary?window=last_7d`,
    })),
  );
};

const otherHeaders = ({ keys }: Space): fc.Arbitrary<Damage> => {
  const header = fc.oneof(
    fc.tuple(
      fc.constant("Authorization"),
      fc.oneof(
        { weight: 4, arbitrary: fc.constantFrom(...keys).map((key) => `Bearer ${key}`) },
        {
          weight: 2,
          arbitrary: fc
            .constantFrom(...keys)
            .map((key) => `Basic ${Buffer.from(`${key}:`).toString("base64")}`),
        },
        printable,
        printable.map((text) => `Bearer ${text}`),
      ),
    ),
    fc.tuple(
      fc.constant("Content-Type"),
      fc.constantFrom(
        "text/plain",
        "application/json; charset=utf-16",
        "application/jsonx",
        "",
        "*/*",
        'application/json;charset="UTF-8"',
        "APPLICATION/JSON",
        "multipart/form-data",
      ),
    ),
    fc.tuple(
      fc.constant("Content-Encoding"),
      fc.constantFrom("gzip", "deflate", "br", "zstd", "identity", "gzip, gzip", "", "__proto__"),
    ),
    fc.tuple(
      fc.constant("If-None-Match"),
      fc.oneof(fc.constantFrom("*", '""', 'W/"x"', '"a", "b"'), printable),
    ),
    fc.tuple(
      fc.constantFrom("Accept", "Accept-Encoding", "Range", "Origin", "Referer", "Cookie"),
      printable,
    ),
    fc.tuple(
      fc.constantFrom("X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "X-HTTP-Method-Override"),
      fc.constantFrom("127.0.0.1", "evil.example", "DELETE", "for=1.2.3.4"),
    ),
    fc.constantFrom<[string, string]>(
      ["Expect", "100-continue"],
      ["Expect", "something"],
      ["Connection", "close"],
      ["Host", "evil.example"],
      ["Host", ""],
      ["X-Large", "x".repeat(20_000)],
      ["X-Odd", "a\u0001b"],
      ["Bad Name", "x"],
      ["Transfer-Encoding", "gzip"],
    ),
  );
  return header.map(([name, value]): Damage => (request) => ({
    ...request,
    headers: [
      ...request.headers.filter(([other]) => other.toLowerCase() !== name.toLowerCase()),
      [name, value],
    ],
  }));
};

/** Sends a body as it is, whatever encoding the headers declare. */
const withBody = (request: FuzzRequest, sent: Buffer): FuzzRequest => ({
  ...request,
  method: "POST",
  target: "/events",
  headers: [
    ["Content-Type", "application/json"],
    ...request.headers.filter(([name]) => !/^content-(?:type|encoding)$/i.test(name)),
  ],
  body: sent,
});

/** Damage to a text: characters are lost, repeated or replaced by significant ones. */
const scar = fc.record({
  at: fc.nat(),
  length: fc.integer({ min: 0, max: 6 }),
  instead: fc.oneof(
    fc.json({ maxDepth: 2 }),
    fc.constantFrom("", '"', "\\", "{", "}", "[", "]", ",", ":", "\\u0000", "\\ud800", "1e400"),
    fc.constantFrom('"__proto__":{"polluted":1},', '"constructor":{"prototype":{}},', "-", "0x"),
    anyText,
  ),
});

const BATCH = JSON.stringify({
  events: ["1", "2"].map((id) => ({
    event_id: `fuzz-${id}`,
    account_id: "fuzzed",
    user_id: "ada",
    type: "login",
    timestamp: new Date().toISOString(),
    metadata: { tags: ["a", 1, null] },
  })),
});

/** A mebibyte and one byte of spaces, which compresses to a kilobyte. */
const BOMB = Buffer.alloc(1024 * 1024 + 1, 0x20);

const otherBody: fc.Arbitrary<Damage> = fc.oneof(
  {
    weight: 60,
    arbitrary: fc
      .array(mutation, { minLength: 1, maxLength: 3 })
      .map((mutations): Damage => (request) => {
        const batch = mutations.reduce(mutate, JSON.parse(BATCH) as unknown);
        return withBody(request, Buffer.from(JSON.stringify(batch) ?? ""));
      }),
  },
  {
    weight: 40,
    arbitrary: fc.array(scar, { minLength: 1, maxLength: 3 }).map((scars): Damage => (request) => {
      const text = scars.reduce((now, { at, length, instead }) => {
        const start = at % (now.length + 1);
        return now.slice(0, start) + instead + now.slice(start + length);
      }, BATCH);
      return withBody(request, Buffer.from(text));
    }),
  },
  {
    weight: 10,
    arbitrary: fc.json().map(
      (text): Damage =>
        (r) =>
          withBody(r, Buffer.from(text)),
    ),
  },
  {
    weight: 10,
    arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes): Damage => (request) => ({
      ...request,
      body: Buffer.from(bytes),
    })),
  },
  // Compressed in a different way than declared.
  {
    weight: 10,
    arbitrary: fc.constantFrom(...ENCODINGS).map(([encoding]): Damage => (request) => ({
      ...request,
      headers: [...request.headers, ["Content-Encoding", encoding === "" ? "gzip" : encoding]],
    })),
  },
  {
    weight: 1,
    arbitrary: fc.boolean().map((compressed): Damage => (request) => {
      const sent = withBody(request, compressed ? gzipSync(BOMB) : BOMB);
      return compressed
        ? { ...sent, headers: [...sent.headers, ["Content-Encoding", "gzip"]] }
        : sent;
    }),
  },
);
