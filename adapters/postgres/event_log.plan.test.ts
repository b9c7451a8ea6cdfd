import { suite } from "uvu";
import * as assert from "uvu/assert";

import {
  createMigratedDatabase,
  type MigratedDatabase,
} from "../../scripts/test/migrated_database.ts";
import { bigintArray, float8Array, textArray } from "./binary_array.ts";
import { type ExplainingSession, openExplainingSession, ROLES } from "./plans.fixture.ts";
import type { Statement } from "./pool.ts";

const test = suite("the plan of an append");

let migrated: MigratedDatabase;

test.before.each(async () => {
  migrated = await createMigratedDatabase();
});
test.after.each(() => migrated.close());

const APPEND: Statement = {
  name: "append",
  text: "select * from tidemark.append($1, $2, $3, $4, $5, $6, $7, $8)",
};

const append = async (session: ExplainingSession, from: number, count: number): Promise<void> => {
  const ids = Array.from({ length: count }, (_, i) => String(from + i));
  const same = (text: string) => textArray(ids.map(() => text));
  await session.run(APPEND, [
    0,
    same("acme"),
    textArray(ids),
    same("ada"),
    same("login"),
    float8Array(ids.map(() => 0)),
    bigintArray(ids.map(() => 1)),
    same("{}"),
  ]);
};

for (const role of ROLES) {
  test(`looks identities up by the primary key, on an empty log and later, with a ${role} role`, async () => {
    const session = await openExplainingSession(migrated.url, role);
    // After five runs a session may cache a generic plan. The table has no statistics yet.
    for (let i = 0; i < 8; i++) {
      await append(session, i * 10, 10);
      const plans = session.plans();
      assert.match(plans, /Index Scan using events_0_pkey/);
      assert.not.match(plans, /Seq Scan on events|Bitmap|position_shard/);
    }
    await append(session, 0, 500);
    assert.match(session.plans(), /Index Scan using events_0_pkey/);
    await session.close();
  });
}

test.run();
