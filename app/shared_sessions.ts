import { randomUUID } from "node:crypto";

import type { Database, Statement } from "../adapters/postgres/pool.ts";
import { DatabaseUnusable } from "./database_unusable.ts";

/** A setting that nobody else has, to tell a session by. */
const MARK: Statement = {
  name: "",
  text: "select pg_backend_pid() as pid, set_config('tidemark.session', $1, false) as mark",
};
const READ: Statement = {
  name: "",
  text: "select pg_backend_pid() as pid, current_setting('tidemark.session', true) as mark",
};

interface Seen {
  readonly pid: number;
  readonly mark: string | null;
}

/**
 * Refuses connections that do not have a session each: behind a pooler in transaction mode they take turns on sessions,
 * so that prepared statements, advisory locks and settings of one are met by another, and cancels hit others.
 *
 * @param one and the other are connections that are open at the same time
 * @throws DatabaseUnusable
 */
export const checkOwnSessions = async (one: Database, other: Database): Promise<void> => {
  const mark = randomUUID();
  const [marked] = await one.query<Seen>(MARK, [mark]);
  const [beside] = await other.query<Seen>(READ, []);
  const [again] = await one.query<Seen>(READ, []);
  const shared = beside?.pid === marked?.pid || beside?.mark === mark;
  const moved = again?.pid !== marked?.pid || again?.mark !== mark;
  if (!shared && !moved) return;
  throw new DatabaseUnusable({
    message:
      "DATABASE_URL leads through a pooler that shares sessions between connections (transaction or statement pooling), " +
      "and Tidemark needs a session for each. Connect to Postgres itself, or to the pooler in session mode.",
  });
};
