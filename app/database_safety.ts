import type { Database, Statement } from "../adapters/postgres/pool.ts";
import { DatabaseUnusable } from "./database_unusable.ts";

/** The oldest Postgres that this runs on, as the server numbers itself. */
const VERSION_MIN = 150_000;

/** What makes a commit that was answered a lie after a crash, when it is off. */
const SETTINGS = ["fsync", "full_page_writes", "synchronous_commit"];

const READ: Statement = {
  name: "safety",
  text: `
    select name, setting from pg_settings
    where name in ('fsync', 'full_page_writes', 'synchronous_commit', 'server_version_num',
      'server_version')`,
};

/**
 * Refuses a database that this cannot run on, or that forgets what it committed.
 *
 * @throws DatabaseUnusable saying what is wrong and how to mend it
 */
export const checkSafety = async (database: Database, allowUnsafe: boolean): Promise<void> => {
  const rows = await database.query<{ name: string; setting: string }>(READ, []);
  const settings = new Map(rows.map(({ name, setting }) => [name, setting]));
  if (Number(settings.get("server_version_num")) < VERSION_MIN) {
    throw new DatabaseUnusable({
      message: `The database is Postgres ${settings.get("server_version")}; Tidemark needs ${VERSION_MIN / 10_000} or newer.`,
    });
  }
  const off = SETTINGS.filter((name) => settings.get(name) === "off");
  if (off.length === 0 || allowUnsafe) return;
  throw new DatabaseUnusable({
    message:
      `The database has ${off.join(" and ")} off: after a crash it may have lost what it committed, so ` +
      "that no 202 could be trusted. Switch it on, or set ALLOW_UNSAFE_DATABASE=true where that is " +
      "no matter.",
  });
};
