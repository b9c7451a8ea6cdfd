import { Effect, Logger } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { readConfiguration } from "./configuration.ts";
import { welcome } from "./welcome.ts";

const test = suite("welcome");

const URL_OF_SERVICE = "http://[::1]:3000";

/** What is printed, and what is logged. */
const said = async (environment: Readonly<Record<string, string>>) => {
  const logged: unknown[] = [];
  const logger = Logger.make(({ message }) => void logged.push(message));
  const { write } = process.stdout;
  let printed = "";
  process.stdout.write = (text: string | Uint8Array): boolean => {
    printed += String(text);
    return true;
  };
  try {
    const greeting = welcome(readConfiguration(environment), URL_OF_SERVICE);
    await Effect.runPromise(Effect.provide(greeting, Logger.layer([logger])));
  } finally {
    process.stdout.write = write;
  }
  return { printed, logged };
};

test("a person reads where it listens, what it does and where its data is", async () => {
  const { printed, logged } = await said({ ROLES: "worker", DATA_DIR: "/somewhere" });
  const where = `Tidemark listens on ${URL_OF_SERVICE}`;
  assert.is(printed.trim(), `${where} (roles: worker; database: embedded, under /somewhere)`);
  assert.equal(logged, []);
});

test("a database of one's own is named by its variable, not by its URL", async () => {
  const { printed } = await said({ DATABASE_URL: "postgres://me:secret@db/x" });
  assert.match(printed, "database: DATABASE_URL)");
  assert.not.match(printed, "secret");
});

test("the example is of a type that is accepted, and quoted for any shell", async () => {
  for (const [EVENT_TYPES, type] of [
    ["login,custom", "login"],
    ["*", "login"],
    ["order.placed,order.shipped", "order.placed"],
  ] as const) {
    const { printed } = await said({ EVENT_TYPES });
    const [post = "", get = ""] = printed.match(/^ {2}curl .*$/gm) ?? [];
    assert.match(post, `-X POST '${URL_OF_SERVICE}/events'`);
    assert.match(post, `"type":"${type}"`);
    assert.match(get, `'${URL_OF_SERVICE}/accounts/acme/summary?window=last_24h'`);
  }
});

test("where a key is needed the example has a place for one, and otherwise none", async () => {
  for (const [AUTH, uses] of [
    ["required", 2],
    ["optional", 0],
  ] as const) {
    const { printed } = await said({ AUTH });
    assert.is(printed.split('-H "Authorization: Bearer $KEY"').length - 1, uses);
  }
});

test("where JSON alone was asked for, it is a line of the log", async () => {
  const { printed, logged } = await said({ LOG_FORMAT: "json" });
  assert.is(printed, "");
  assert.equal(logged.flat(), [`Tidemark listens on ${URL_OF_SERVICE}`]);
});

test.run();
