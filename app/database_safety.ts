import type { Database, Statement } from "../adapters/postgres/pool.ts";
import { lostSettings } from "../adapters/postgres/session.ts";
import { DatabaseEncodingUnfit } from "../db/errors.ts";
import { DatabaseUnusable } from "./database_unusable.ts";

/** The oldest Postgres that this runs on, as the server numbers itself. */
const VERSION_MIN = 150_000;

/** What makes a commit that was answered a lie after a crash, when it is off. */
const SETTINGS = ["fsync", "full_page_writes", "synchronous_commit"];

const READ: Statement = { name: "settings", text: "select name, setting from pg_settings" };

/**
 * Refuses a database that this cannot run on, or that forgets what it committed.
 *
 * @param database with a session as `withSession` asks for it
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
  const encoding = settings.get("server_encoding");
  if (encoding !== "UTF8") {
    throw new DatabaseUnusable({ message: new DatabaseEncodingUnfit(encoding).message });
  }
  const lost = lostSettings(settings);
  if (lost.length > 0) {
    throw new DatabaseUnusable({
      message:
        `The database's sessions do not keep the settings that Tidemark connects with (${lost.slice(0, 3).join(", ")}` +
        `${lost.length > 3 ? ` and ${lost.length - 3} more` : ""}): a pooler drops the startup parameter "options". ` +
        "Connect to Postgres itself.",
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
