import pg from "pg";

import { type Database, databaseOf, type Statement, TYPES } from "./pool.ts";
import { type SessionSettings, withSession } from "./session.ts";
import { turnedSettings } from "./turned_settings.fixture.ts";

/** A session that records the plan of every statement that it runs, also inside functions. */
export interface ExplainingSession {
  /** For the adapters whose plans are tested. */
  readonly database: Database;
  readonly run: (statement: Statement, values: ReadonlyArray<unknown>) => Promise<void>;
  /** The plans since the last call. */
  readonly plans: () => string;
  readonly close: () => Promise<void>;
}

/** The roles that plans are tested under: with defaults, and with every setting turned. */
export const ROLES = ["plain", "turned"] as const;

export const openExplainingSession = async (
  url: string,
  role: (typeof ROLES)[number],
  settings: SessionSettings = {},
): Promise<ExplainingSession> => {
  const own = new URL(url);
  if (role === "turned") own.searchParams.set("options", await turnedOptions(url));
  const client = new pg.Client({
    connectionString: withSession(own.href, settings),
    types: TYPES,
  });
  await client.connect();
  let text = "";
  client.on("notice", ({ message }) => {
    if (message?.includes("plan:") === true) text += `${message}\n`;
  });
  await client.query(`
    load 'auto_explain';
    set auto_explain.log_min_duration = 0;
    set auto_explain.log_nested_statements = on;
    set auto_explain.log_parameter_max_length = 0;
    set client_min_messages = log`);
  return {
    database: databaseOf(client),
    run: async (statement, values) => {
      await client.query({ ...statement, values: [...values] });
    },
    plans: () => {
      const plans = text;
      text = "";
      return plans;
    },
    close: () => client.end(),
  };
};

/** As if the role had these settings: ours follow and win. */
const turnedOptions = async (url: string): Promise<string> => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const turned = Object.entries(await turnedSettings(databaseOf(client)));
  await client.end();
  return turned.map(([name, value]) => `-c ${name}=${value}`).join(" ");
};
