import { suite, type Test } from "uvu";

import { withClient } from "../db/client.ts";
import {
  createTestDatabase,
  createTestRole,
  type TestDatabase,
  type TestRole,
} from "../scripts/test/database.ts";
import { until } from "../scripts/test/patience.ts";
import { killServices } from "./service_process.fixture.ts";

/** What each test of a service has to itself. */
export interface ServiceContext {
  database: TestDatabase;
  /** Owns the database, and may change its schema. */
  owner: TestRole;
  /** The role of the service, without any rights at first. */
  role: TestRole;
  /** The settings of a service that migrates as the owner. */
  settings: { readonly DATABASE_URL: string; readonly MIGRATION_DATABASE_URL: string };
  /** Runs SQL in the database as a superuser. */
  admin: (sql: string) => Promise<void>;
}

/** What a suite adds to the context of each test. */
interface More<Added> {
  readonly before?: (context: ServiceContext & Added) => Promise<void>;
  /** Runs once the services are dead, and before the database is dropped. */
  readonly after?: (context: ServiceContext & Added) => Promise<void>;
}

/** A suite whose tests have a database each, and leave no process behind. */
export const serviceSuite = <Added extends object = object>(
  name: string,
  { before, after }: More<Added> = {},
): Test<ServiceContext & Added> => {
  const test = suite<ServiceContext & Added>(name);
  test.before.each(async (context) => {
    const database = (context.database = await createTestDatabase());
    const owner = (context.owner = await createTestRole());
    const role = (context.role = await createTestRole());
    context.settings = {
      DATABASE_URL: role.on(database),
      MIGRATION_DATABASE_URL: owner.on(database),
    };
    context.admin = (sql) =>
      withClient(database.url, async (client) => void (await client.query(sql)));
    await context.admin(`alter database ${nameOf(database)} owner to ${owner.name}`);
    await before?.(context);
  });
  test.after.each(async (context) => {
    await killServices();
    await after?.(context);
    await context.database.drop();
    await context.role.drop();
    await context.owner.drop();
  });
  return test;
};

export const nameOf = ({ url }: TestDatabase): string => new URL(url).pathname.slice(1);

/** What readiness says of a check such as `database`. */
export const checkOf = async (
  url: string,
  check: string,
): Promise<{ readonly status: number; readonly says: string }> => {
  const answer = await fetch(`${url}/readyz`);
  const { checks } = (await answer.json()) as { readonly checks: Record<string, string> };
  return { status: answer.status, says: checks[check] ?? "" };
};

/** Returns once the service is not ready, for this reason. */
export const untilNotReady = (url: string, reason: RegExp, check = "database"): Promise<void> =>
  until(async () => {
    const { status, says } = await checkOf(url, check);
    return status === 503 && reason.test(says);
  }, `it is not unready for ${reason}`);
