import { suite } from "uvu";
import * as assert from "uvu/assert";

import { makeAnswerParser } from "./answer_parser.ts";

const test = suite("makeAnswerParser");

const STREAM = Buffer.from(
  "HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}" +
    "HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n" +
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nHTTP\r\n0\r\n\r\n" +
    "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
);

test("every answer of a connection is seen once, however its bytes are split", () => {
  for (let size = 1; size <= STREAM.length; size++) {
    const seen: number[] = [];
    const parse = makeAnswerParser((status) => seen.push(status));
    for (let at = 0; at < STREAM.length; at += size) parse(STREAM.subarray(at, at + size));
    assert.equal(seen, [202, 304, 200, 503], `in pieces of ${size} bytes`);
  }
});

test("an answer is seen when its body is complete", () => {
  const seen: number[] = [];
  const parse = makeAnswerParser((status) => seen.push(status));
  parse(Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"));
  assert.equal(seen, []);
  parse(Buffer.from("de"));
  assert.equal(seen, [200]);
});

test.run();
