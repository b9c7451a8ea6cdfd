import { suite } from "uvu";
import * as assert from "uvu/assert";

import { databaseOf } from "../../adapters/postgres/pool.ts";
import { withClient } from "../../db/client.ts";
import { migrate } from "../../db/migrate.ts";
import {
  copyTestDatabase,
  createTestDatabase,
  createTestRole,
} from "../../scripts/test/database.ts";
import { type Incarnation, readIncarnation, redisIdentityOf } from "./incarnation.ts";

const test = suite("the incarnation of a log");

const INCARNATION: Incarnation = {
  id: "a0a0a0a0-0000-4000-8000-000000000000",
  secret: Buffer.alloc(32, 7),
  system: "7300000000000000000",
  database: "16384",
  timeline: "00000001",
};

test("processes of one incarnation share names and a secret, and any difference changes both", () => {
  const own = redisIdentityOf(INCARNATION);
  assert.equal(redisIdentityOf({ ...INCARNATION }), own);
  assert.is(own.secret.length, 32);
  for (const other of [
    { id: "b0b0b0b0-0000-4000-8000-000000000000" },
    { system: "7300000000000000001" },
    { database: "16385" },
    { timeline: "00000002" },
  ]) {
    const identity = redisIdentityOf({ ...INCARNATION, ...other });
    assert.is.not(identity.namespace, own.namespace, JSON.stringify(other));
    assert.not.equal(identity.secret, own.secret, JSON.stringify(other));
  }
  const otherSecret = redisIdentityOf({ ...INCARNATION, secret: Buffer.alloc(32, 8) });
  assert.not.equal(otherSecret.secret, own.secret);
});

const read = (url: string): Promise<Incarnation | undefined> =>
  withClient(url, (client) => readIncarnation(databaseOf(client)));

test("a copy of a database has the same log name and secret in another place", async () => {
  const original = await createTestDatabase();
  await migrate(original.url);
  const copy = await copyTestDatabase(original);
  try {
    const [one, again, other] = [
      await read(original.url),
      await read(original.url),
      await read(copy.url),
    ];
    assert.ok(one && other);
    assert.match(one.timeline, /^[0-9A-F]{8}$/);
    assert.match(one.system, /^\d+$/);
    assert.equal(again, one);
    assert.is(other.id, one.id);
    assert.equal(other.secret, one.secret);
    assert.is.not(other.database, one.database);
  } finally {
    await copy.drop();
    await original.drop();
  }
});

test("any role that can read the log's identity can identify the database, and a refusal leaves it unidentified", async () => {
  const database = await createTestDatabase();
  const role = await createTestRole();
  try {
    await migrate(database.url);
    const asOwner = (sql: string) =>
      withClient(database.url, async (client) => void (await client.query(sql)));
    await asOwner(`grant usage on schema tidemark to ${role.name};
      grant select on tidemark.log_identity to ${role.name}`);
    const told = await read(role.on(database));
    assert.ok(told);
    assert.equal(told, await read(database.url));
    await asOwner("revoke execute on function pg_control_system() from public");
    assert.is(await read(role.on(database)), undefined);
    // Without a right that the service needs, it is an error.
    await asOwner(`revoke select on tidemark.log_identity from ${role.name}`);
    const refused = await read(role.on(database)).then(
      () => undefined,
      (error: Error) => error.message,
    );
    assert.match(refused ?? "it was read", /permission denied/);
  } finally {
    await database.drop();
    await role.drop();
  }
});

test.run();
