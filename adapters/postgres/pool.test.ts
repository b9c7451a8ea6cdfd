import type pg from "pg";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { type Database, databaseOf } from "./pool.ts";
import { makeRetrying } from "./retry.ts";

const test = suite("pool");

/** Answers like `pg`, and retains what it received and returned, also like `pg`. */
const makeQueryable = (failures = 0) => {
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

test("what pg retains of a query contains neither its parameters nor its rows", async () => {
  const { configs, seen, results, queryable } = makeQueryable();
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

test("a retry has all parameters again, and a failed query retains none", async () => {
  const { configs, seen, queryable } = makeQueryable(1);
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
