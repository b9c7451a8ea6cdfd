import type pg from "pg";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { type Database, databaseOf } from "./pool.ts";
import { makeRetrying } from "./retry.ts";

const test = suite("pool");

/** Answers as `pg` does, and keeps what it was given and what it gave, as `pg` does too. */
const makeHeartbeats = (failures = 0) => {
  const configs: pg.QueryConfig<unknown[]>[] = [];
  const seen: unknown[][] = [];
  const results: { rows: unknown[] }[] = [];
  const query = async (config: pg.QueryConfig<unknown[]>) => {
    configs.push(config);
    seen.push([...(config.values ?? [])]);
    if (seen.length <= failures) throw new Error("Connection terminated unexpectedly");
    const result = { rows: [{ sum: 3 }] };
    results.push(result);
    return result;
  };
  return {
    configs,
    seen,
    results,
    queryable: { query } as unknown as Pick<pg.ClientBase, "query">,
  };
};

const STATEMENT = { name: "sum", text: "select $1 + $2 as sum" };

const sum = (database: Database, values: ReadonlyArray<unknown>) =>
  database.query<{ sum: number }>(STATEMENT, values);

test("what pg keeps of a query holds neither its parameters nor its rows", async () => {
  const { configs, seen, results, queryable } = makeHeartbeats();
  const values = [1, 2];
  assert.equal(await sum(databaseOf(queryable), values), [{ sum: 3 }]);
  assert.equal(seen, [[1, 2]]);
  assert.equal(
    configs.map((config) => config.values),
    [[]],
  );
  assert.equal(results, [{ rows: [] }]);
  assert.equal(values, [1, 2]);
});

test("a retry has all parameters again, and a failure leaves none behind", async () => {
  const { configs, seen, queryable } = makeHeartbeats(1);
  const retrying = makeRetrying({ delaysMs: [0] });
  assert.equal(await sum(databaseOf(queryable, retrying), [1, 2]), [{ sum: 3 }]);
  assert.equal(seen, [
    [1, 2],
    [1, 2],
  ]);
  assert.equal(
    configs.map((config) => config.values),
    [[], []],
  );
});

test.run();
