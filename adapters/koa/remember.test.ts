import { suite } from "uvu";
import * as assert from "uvu/assert";

import { remember } from "./remember.ts";

const test = suite("remember");

/** A function that notes what it was asked. */
const noting = () => {
  const asked: string[] = [];
  const read = remember((text) => {
    asked.push(text);
    return { text };
  });
  return { asked, read };
};

test("the same text is read once", () => {
  const { asked, read } = noting();
  const first = read("window=last_24h");
  assert.is(read("window=last_24h"), first);
  assert.equal(read("window=last_7d"), { text: "window=last_7d" });
  assert.equal(asked, ["window=last_24h", "window=last_7d"]);
});

test("long texts, and many, take no memory", () => {
  const { asked, read } = noting();
  for (let i = 0; i < 2; i++) read("x".repeat(10_000));
  assert.is(asked.length, 2);
  for (let i = 0; i < 5_000; i++) read(`from=${i}`);
  read("from=0");
  assert.is(asked.length, 5_003);
});

test.run();
