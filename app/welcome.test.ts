import { Effect, Logger } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { readConfiguration } from "./configuration.ts";
import { welcome } from "./welcome.ts";

const test = suite("welcome");

const URL_OF_SERVICE = "http://[::1]:3000";

/** The output, and the log messages. */
const said = async (environment: Readonly<Record<string, string>>, needsKey = false) => {
  const logged: unknown[] = [];
  const logger = Logger.make(({ message }) => void logged.push(message));
  const { write } = process.stdout;
  let printed = "";
  process.stdout.write = (text: string | Uint8Array): boolean => {
    printed += String(text);
    return true;
  };
  try {
    const configuration = readConfiguration({ LOG_FORMAT: "pretty", ...environment });
    const greeting = welcome(configuration, { url: URL_OF_SERVICE, needsKey });
    await Effect.runPromise(Effect.provide(greeting, Logger.layer([logger])));
  } finally {
    process.stdout.write = write;
  }
  return { printed, logged };
};

test("it says where it listens, its roles, and where its data is", async () => {
  const { printed, logged } = await said({ ROLES: "worker", DATA_DIR: "/somewhere" });
  const where = `Tidemark listens on ${URL_OF_SERVICE}`;
  assert.is(printed.trim(), `${where} (roles: worker; database: embedded, in /somewhere)`);
  assert.equal(logged, []);
});

test("a configured database is named by its variable, not by its URL", async () => {
  const { printed } = await said({ DATABASE_URL: "postgres://me:secret@db/x" });
  assert.match(printed, "database: DATABASE_URL)");
  assert.not.match(printed, "secret");
});

test("the example has an accepted type, and is quoted for any shell", async () => {
  for (const [EVENT_TYPES, type] of [
    ["login,custom", "login"],
    ["*", "login"],
    ["order.placed,order.shipped", "order.placed"],
  ] as const) {
    const { printed } = await said({ EVENT_TYPES });
    const [post = "", get = ""] = printed.match(/^ {2}curl .*$/gm) ?? [];
    assert.match(post, `curl ${URL_OF_SERVICE}/events`);
    assert.match(post, `"type":"${type}"`);
    assert.match(get, `'${URL_OF_SERVICE}/accounts/acme/summary?window=last_24h'`);
  }
});

test("the commands create a key only if one is needed", async () => {
  const { printed } = await said({}, true);
  const [create = "", ...asking] = printed.match(/^ {2}(?:KEY|curl).*$/gm) ?? [];
  assert.match(create, "KEY=$(npm run -s keys -- create --scope write,read)");
  assert.is(asking.length, 2);
  for (const command of asking) assert.match(command, '-H "Authorization: Bearer $KEY"');
  assert.not.match((await said({})).printed, "KEY");
});

test("in the JSON format it is a log entry", async () => {
  const { printed, logged } = await said({ LOG_FORMAT: "json" });
  assert.is(printed, "");
  assert.equal(logged.flat(), [`Tidemark listens on ${URL_OF_SERVICE}`]);
});

test.run();
