import { suite } from "uvu";
import * as assert from "uvu/assert";

import type { Database } from "../../adapters/postgres/pool.ts";
import { CONNECTIONS_MIN, ROLES } from "../configuration.ts";
import { allowedConnections, shareConnections } from "./pools.ts";

const test = suite("connections of a process");

test("the pools together have exactly the allowed connections, and each at least one", () => {
  for (let all = CONNECTIONS_MIN; all <= 100; all++) {
    const shares = Object.values(shareConnections(all, new Set(ROLES)));
    assert.is(
      shares.reduce((sum, share) => sum + share, 0),
      all,
    );
    assert.ok(Math.min(...shares) >= 1, `of ${all}`);
  }
});

test("a process that builds no windows uses that connection for other pools", () => {
  const { build, ...others } = shareConnections(12, new Set(["api"]));
  assert.is(build, 0);
  assert.equal(others, { control: 2, queue: 3, read: 4, log: 3 });
});

const limited = (limits: object): Database => ({ query: async () => [limits] as never });

test("a process opens as many connections as configured, and no more than the server allows", async () => {
  for (const [role, database, server, allowed] of [
    [-1, -1, 97, 12],
    [8, -1, 97, 8],
    [-1, 7, 97, 7],
    [20, 30, 10, 10],
  ] as const) {
    assert.is(await allowedConnections(limited({ role, database, server }), 12), allowed);
  }
});

test("a limit that is too low is reported by name", async () => {
  for (const [limits, named] of [
    [{ role: 5, database: -1, server: 97 }, "the role in DATABASE_URL is 5"],
    [{ role: -1, database: 0, server: 97 }, "the database is 0"],
    [{ role: -1, database: -1, server: 2 }, "the server is 2"],
  ] as const) {
    try {
      await allowedConnections(limited(limits), 12);
      assert.unreachable();
    } catch (error) {
      assert.match((error as Error).message, named);
    }
  }
});

test.run();
