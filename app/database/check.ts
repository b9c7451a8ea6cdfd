import { randomUUID } from "node:crypto";

import type { Database, Statement } from "../../adapters/postgres/pool.ts";
import { lostSettings } from "../../adapters/postgres/session.ts";
import { DatabaseEncodingUnfit } from "../../db/errors.ts";
import { DatabaseUnusable } from "./wait.ts";

/** The oldest supported Postgres, as the server numbers itself. */
const VERSION_MIN = 150_000;

/** With one of these off, a crash can lose what was committed, and so what a 202 promised. */
const DURABILITY_SETTINGS = ["fsync", "full_page_writes", "synchronous_commit"];

const SETTINGS: Statement = { name: "settings", text: "select name, setting from pg_settings" };

/**
 * Refuses a database that Tidemark cannot run on, or that loses what it committed.
 *
 * @param database with a session as `withSession` requests it
 * @throws DatabaseUnusable saying what is wrong and how to mend it
 */
export const checkSettings = async (database: Database, allowUnsafe: boolean): Promise<void> => {
  const rows = await database.query<{ name: string; setting: string }>(SETTINGS, []);
  const settings = new Map(rows.map(({ name, setting }) => [name, setting]));
  if (Number(settings.get("server_version_num")) < VERSION_MIN) {
    throw new DatabaseUnusable({
      message: `The database is Postgres ${settings.get("server_version")}. Tidemark needs ${VERSION_MIN / 10_000} or newer.`,
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
  const off = DURABILITY_SETTINGS.filter((name) => settings.get(name) === "off");
  if (off.length === 0 || allowUnsafe) return;
  throw new DatabaseUnusable({
    message:
      `The database has ${off.join(" and ")} off: a crash can lose committed data, so no 202 can be trusted. ` +
      "Turn it on. Where losing data is acceptable, set ALLOW_UNSAFE_DATABASE=true.",
  });
};

/** Marks a session with a setting that no other session has. */
const MARK: Statement = {
  name: "",
  text: "select pg_backend_pid() as pid, set_config('tidemark.session', $1, false) as mark",
};
const READ_MARK: Statement = {
  name: "",
  text: "select pg_backend_pid() as pid, current_setting('tidemark.session', true) as mark",
};

interface Session {
  readonly pid: number;
  readonly mark: string | null;
}

/**
 * Refuses connections that share sessions, as behind a pooler in transaction mode: prepared
 * statements, advisory locks and settings of one connection would affect others, and so would a
 * cancelled statement.
 *
 * @param one and the other are connections that are open at the same time
 * @throws DatabaseUnusable
 */
export const checkOwnSessions = async (one: Database, other: Database): Promise<void> => {
  const mark = randomUUID();
  const [first] = await one.query<Session>(MARK, [mark]);
  const [second] = await other.query<Session>(READ_MARK, []);
  const [again] = await one.query<Session>(READ_MARK, []);
  const isShared = second?.pid === first?.pid || second?.mark === mark;
  const hasMoved = again?.pid !== first?.pid || again?.mark !== mark;
  if (!isShared && !hasMoved) return;
  throw new DatabaseUnusable({
    message:
      "DATABASE_URL leads to a pooler that shares sessions between connections (transaction or statement pooling), " +
      "and Tidemark needs a session for each connection. Connect to Postgres itself, or to the pooler in session mode.",
  });
};
