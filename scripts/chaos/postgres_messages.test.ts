import { suite } from "uvu";
import * as assert from "uvu/assert";

import { makeMessageReader, type Message, preparedBy, runsOf } from "./postgres_messages.ts";

const test = suite("postgres_messages");

const message = (type: string, body: string): Buffer => {
  const length = Buffer.alloc(4);
  length.writeInt32BE(4 + Buffer.byteLength(body));
  return Buffer.concat([Buffer.from(type), length, Buffer.from(body)]);
};

const STREAM = [
  message("", "startup"),
  message("P", "append\0select 1\0\0\0"),
  message("B", "\0append\0\0\0"),
  message("S", ""),
  message("Q", "select 2\0"),
];

test("messages are the same however the network splits them", () => {
  const bytes = Buffer.concat(STREAM);
  for (let size = 1; size <= bytes.length; size++) {
    const read = makeMessageReader(true);
    const messages: Message[] = [];
    for (let at = 0; at < bytes.length; at += size) {
      messages.push(...read(bytes.subarray(at, at + size)));
    }
    assert.equal(
      messages.map(({ type }) => type),
      ["", "P", "B", "S", "Q"],
    );
    assert.equal(Buffer.concat(messages.map((one) => one.bytes)), bytes);
  }
});

test("a message says what it prepares and what it executes", () => {
  const [, parse, bind, sync, query] = makeMessageReader(true)(Buffer.concat(STREAM));
  assert.equal(preparedBy(parse!), { name: "append", text: "select 1" });
  assert.equal(runsOf(bind!), { _tag: "Prepared", name: "append" });
  assert.equal(runsOf(query!), { _tag: "Text", text: "select 2" });
  assert.is(runsOf(sync!), undefined);
  assert.is(preparedBy(bind!), undefined);
});

test.run();
