import * as zlib from "node:zlib";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import {
  type Api,
  batchOf,
  post,
  postBytes,
  problemIn,
  refusal,
  startApi,
  validEvent,
} from "../api.fixture.ts";
import { BODY_BYTES_MAX } from "../limits.ts";
import { openConnection } from "../server/connection.fixture.ts";

const test = suite<{ api: Api }>("request bodies");

test.before(async (context) => {
  context.api = await startApi();
});
test.after(async ({ api }) => {
  assert.equal(api.defects, []);
  await api.close();
});

const MIB = 1024 * 1024;

/** A batch of one event, padded to a length with white space. */
const padded = (length: number): string => batchOf(validEvent()).padEnd(length, " ");

const chunked = (body: string): Buffer => {
  const chunks = body.match(/[^]{1,65536}/g) ?? [];
  const framed = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`);
  return Buffer.from(
    "POST /events HTTP/1.1\r\nHost: tidemark\r\nContent-Type: application/json\r\n" +
      `Transfer-Encoding: chunked\r\n\r\n${framed.join("")}0\r\n\r\n`,
  );
};

for (const [what, body] of Object.entries({
  empty: "",
  "white space": " \n\t ",
  prose: "hello",
  truncated: batchOf(validEvent()).slice(0, -1),
  "two values": "{}{}",
  "a trailing comma": '{"events":[],}',
  "single quotes": "{'events':[]}",
  NaN: '{"events":[NaN]}',
  "a bare number with a leading zero": "007",
  "a control character in a string": '{"events":["\n"]}',
  "ten thousand brackets": "[".repeat(10_000),
  "an endless string": `"${"\\".repeat(1_000_000)}`,
})) {
  test(`a body that is not JSON is refused: ${what}`, async ({ api }) => {
    const { detail } = await refusal(api, postBytes(body), 400, "json-malformed");
    assert.ok(detail.length < 500, detail);
  });
}

test("JSON so deep that only JSON.parse can process it is refused as what it is not", async ({
  api,
}) => {
  const deep = `${"[".repeat(500_000)}${"]".repeat(500_000)}`;
  await refusal(api, postBytes(deep), 400, "batch-malformed");
  await refusal(api, postBytes(`{"events":[${deep}]}`), 400, "batch-too-complex");
  await refusal(
    api,
    postBytes(`{"events":[${deep.slice(400_000, 600_000)}]}`),
    400,
    "event-invalid",
  );
  const objects = `${'{"a":'.repeat(150_000)}1${"}".repeat(150_000)}`;
  await refusal(api, postBytes(objects), 400, "batch-malformed");
});

test("a body that is not UTF-8 is refused, not changed", async ({ api }) => {
  const [before = "", after = ""] = batchOf(validEvent({ user_id: "ada" })).split("ada");
  for (const bytes of [
    [0xff],
    [0xc3],
    [0xed, 0xa0, 0x80],
    [0xc0, 0xaf],
    [0xf5, 0x80, 0x80, 0x80],
  ]) {
    const body = Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(after)]);
    const { detail } = await refusal(api, postBytes(body), 400, "json-malformed");
    assert.match(detail, "not UTF-8");
  }
  const utf16 = Buffer.from(batchOf(validEvent()), "utf16le");
  await refusal(api, postBytes(utf16), 400, "json-malformed");
});

test("a byte order mark is refused by name, because it is invisible", async ({ api }) => {
  const bytes = postBytes(`\ufeff${batchOf(validEvent())}`);
  const { detail } = await refusal(api, bytes, 400, "json-malformed");
  assert.match(detail, "byte order mark");
});

test("a body of exactly 1 MiB is accepted, with a Content-Length and in chunks", async ({
  api,
}) => {
  const before = await api.drain();
  assert.is((await post(api, padded(BODY_BYTES_MAX))).status, 202);
  const connection = await openConnection(api.url);
  connection.write(chunked(padded(BODY_BYTES_MAX)));
  assert.is((await connection.answer())?.status, 202);
  connection.reset();
  assert.is(await api.drain(), before + 2);
});

test("a body one byte longer is refused, with a Content-Length and in chunks", async ({ api }) => {
  const body = padded(BODY_BYTES_MAX + 1);
  await refusal(api, postBytes(body), 413, "body-too-large");
  await refusal(api, chunked(body), 413, "body-too-large");
});

test("a body of 1.1 MiB is refused, with a Content-Length and in chunks", async ({ api }) => {
  const body = padded(1.1 * MIB);
  await refusal(api, postBytes(body), 413, "body-too-large");
  const { detail } = await refusal(api, chunked(body), 413, "body-too-large");
  assert.match(detail, String(BODY_BYTES_MAX));
});

test("a body with a huge Content-Length is refused before any of it arrives", async ({ api }) => {
  const connection = await openConnection(api.url);
  connection.write(postBytes("", { "Content-Length": "99999999999999" }));
  problemIn(await connection.answer(), 413, "body-too-large");
  connection.reset();
});

/** By how many MiB the peak memory of this process grows meanwhile. */
const memoryGrowth = async (run: () => Promise<unknown>): Promise<number> => {
  const peak = (): number => process.resourceUsage().maxRSS / 1024;
  const before = Math.max(peak(), process.memoryUsage.rss() / MIB);
  await run();
  return peak() - before;
};

test("a gzip bomb is refused without being inflated", async ({ api }) => {
  // 10 MiB of spaces, and a hundred times as many.
  const bomb = zlib.gzipSync(Buffer.alloc(10 * MIB, " "));
  const bombs = Buffer.concat(Array.from({ length: 100 }, () => bomb));
  assert.ok(bombs.length <= BODY_BYTES_MAX);
  const grown = await memoryGrowth(async () => {
    for (const body of [bomb, bombs]) {
      const bytes = postBytes(body, { "Content-Encoding": "gzip" });
      await refusal(api, bytes, 413, "body-too-large");
    }
  });
  assert.ok(grown < 64, `${grown} MiB`);
});

test("bombs of the other encodings are refused, too", async ({ api }) => {
  const spaces = Buffer.alloc(10 * MIB, " ");
  for (const [encoding, body] of [
    ["deflate", zlib.deflateSync(spaces)],
    ["deflate", zlib.deflateRawSync(spaces)],
    [
      "br",
      zlib.brotliCompressSync(spaces, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 4 } }),
    ],
  ] as const) {
    const bytes = postBytes(body, { "Content-Encoding": encoding });
    await refusal(api, bytes, 413, "body-too-large");
  }
});

test("an endless body is read no further than the limit, and discarded", async ({ api }) => {
  const connection = await openConnection(api.url);
  const grown = await memoryGrowth(async () => {
    connection.write(
      "POST /events HTTP/1.1\r\nHost: tidemark\r\nContent-Type: application/json\r\n" +
        "Transfer-Encoding: chunked\r\n\r\n",
    );
    const chunk = Buffer.from(`100000\r\n${" ".repeat(MIB)}\r\n`);
    for (let i = 0; i < 8; i++) connection.write(chunk);
    problemIn(await connection.answer(), 413, "body-too-large");
    // Always the same few megabytes: only what the server keeps grows.
    for (let i = 0; i < 200; i++) await connection.flush(chunk);
  });
  assert.ok(grown < 100, `${grown} MiB`);
  connection.reset();
});

const level = { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } };
const ENCODINGS: ReadonlyArray<readonly [string, string, (text: string) => Uint8Array]> = [
  ["gzip", "gzip", zlib.gzipSync],
  ["gzip in capitals", "GZIP", zlib.gzipSync],
  ["x-gzip, its old name", "x-gzip", zlib.gzipSync],
  ["deflate", "deflate", zlib.deflateSync],
  ["deflate without the zlib frame", "deflate", zlib.deflateRawSync],
  ["br", "br", (text) => zlib.brotliCompressSync(text, level)],
  ["identity", "identity", (text) => Buffer.from(text)],
];
for (const [what, encoding, compress] of ENCODINGS) {
  test(`a body encoded as ${what} is accepted, up to 1 MiB inflated`, async ({ api }) => {
    const before = await api.drain();
    const headers = { "Content-Encoding": encoding };
    assert.is((await post(api, compress(batchOf(validEvent())), headers)).status, 202);
    assert.is((await post(api, compress(padded(BODY_BYTES_MAX)), headers)).status, 202);
    const over = compress(padded(BODY_BYTES_MAX + 1));
    problemIn(await post(api, over, headers), 413, "body-too-large");
    assert.is(await api.drain(), before + 2);
  });
}

test("a body that does not match its encoding is refused, truncated or not", async ({ api }) => {
  const text = batchOf(validEvent());
  const gzip = zlib.gzipSync(text);
  const corrupt = Uint8Array.from(gzip, (byte, i) => (i === gzip.length - 6 ? byte ^ 1 : byte));
  for (const [encoding, body] of [
    ["gzip", gzip.subarray(0, -9)],
    ["gzip", gzip.subarray(0, 5)],
    ["gzip", corrupt],
    ["gzip", ""],
    ["gzip", text],
    ["deflate", zlib.deflateSync(text).subarray(0, -5)],
    ["deflate", "x"],
    ["deflate", ""],
    ["br", zlib.brotliCompressSync(text).subarray(0, -2)],
    ["br", ""],
  ] as const) {
    const bytes = postBytes(body, { "Content-Encoding": encoding });
    const { detail } = await refusal(api, bytes, 400, "body-not-inflatable");
    assert.match(detail, encoding);
  }
});

test("data after the end of a compressed body is refused, although the engine ignores it", async ({
  api,
}) => {
  for (const [encoding, compress] of [
    ["gzip", zlib.gzipSync],
    ["deflate", zlib.deflateSync],
    ["deflate", zlib.deflateRawSync],
    ["br", zlib.brotliCompressSync],
  ] as const) {
    const body = compress(batchOf(validEvent()));
    // A gzip file may have several members that form one text. Here they would be two batches.
    const other = encoding === "gzip" ? [] : [compress(batchOf(validEvent()))];
    for (const behind of [Buffer.alloc(1), Buffer.alloc(40_000), ...other]) {
      const bytes = postBytes(Buffer.concat([body, behind]), { "Content-Encoding": encoding });
      const { detail } = await refusal(api, bytes, 400, "body-not-inflatable");
      assert.match(detail, `${behind.length} bytes follow the end of the compressed data`);
    }
  }
  const twice = Buffer.concat(
    Array.from({ length: 2 }, () => zlib.gzipSync(batchOf(validEvent()))),
  );
  const bytes = postBytes(twice, { "Content-Encoding": "gzip" });
  await refusal(api, bytes, 400, "json-malformed");
});

for (const encoding of [
  "gzip, gzip",
  "gzip, identity",
  "deflate, br",
  "zstd",
  "compress",
  "chunked",
  "*",
  "",
  "__proto__",
  "constructor",
]) {
  test(`the content encoding "${encoding}" is refused, naming those that are taken`, async ({
    api,
  }) => {
    const body = zlib.gzipSync(batchOf(validEvent()));
    const bytes = postBytes(body, { "Content-Encoding": encoding });
    const { detail } = await refusal(api, bytes, 415, "content-encoding-unsupported");
    assert.match(detail, "gzip, deflate and br");
  });
}

for (const type of [
  "text/plain",
  "text/json",
  "application/x-www-form-urlencoded",
  "multipart/form-data; boundary=x",
  "application/json-seq",
  "application/jsonp",
  "application/problem+json",
  "application/jsonwhatever; charset=utf-8",
  "",
  "; charset=utf-8",
  "application/json; charset=utf-16",
  'application/json; charset="iso-8859-1"',
  "application/json; profile=x; charset=latin1",
  "application/json; charset=utf-8; charset=utf-7",
  "application/json; charset=",
]) {
  test(`the content type "${type}" is refused, naming the one that is taken`, async ({ api }) => {
    const bytes = postBytes(batchOf(validEvent()), { "Content-Type": type });
    const { detail } = await refusal(api, bytes, 415, "content-type-unsupported");
    assert.match(detail, "application/json, in UTF-8");
  });
}

for (const type of [
  "application/json",
  "Application/JSON",
  "application/json; charset=utf-8",
  'application/json;charset="UTF-8"',
  "application/json; charset='utf-8'",
  "application/json;charset='UTF-8' ; q=1",
  "application/json ; profile=x ; Charset=utf8",
]) {
  test(`the content type "${type}" is taken`, async ({ api }) => {
    const answer = await post(api, batchOf(validEvent()), { "Content-Type": type });
    assert.is(answer.status, 202, answer.body);
  });
}

test.run();
