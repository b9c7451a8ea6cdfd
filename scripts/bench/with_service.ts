import { readFileSync } from "node:fs";

import { createMigratedDatabase } from "../test/migrated_database.ts";
import { type Child, startChild } from "./child.ts";

/** How many shards the logs of the benchmarks have: the default of a service. */
export const SHARDS = 8;

const PACKAGE = new URL("../../package.json", import.meta.url);
const { scripts } = JSON.parse(readFileSync(PACKAGE, "utf8")) as { scripts: { start: string } };

/** The options that `npm start` gives to node. */
export const NODE_OPTIONS: ReadonlyArray<string> = scripts.start
  .split(" ")
  .filter((word) => word.startsWith("--"));

/** Starts a process of the service as `npm start` does, and waits until it listens: `found` is its URL. */
export const startService = (env: Readonly<Record<string, string>>): Promise<Child> =>
  startChild(
    "app/main.ts",
    [],
    { PORT: "0", LOG_FORMAT: "json", ...env },
    /listens on (http:\S+?)[" ]/,
    NODE_OPTIONS,
  );

/** Runs the service on a database of its own for as long as `use` takes. */
export const withService = async <A>(
  env: Readonly<Record<string, string>>,
  use: (service: Child, databaseUrl: string) => Promise<A>,
): Promise<A> => {
  const { url, close } = await createMigratedDatabase(SHARDS);
  let service: Child | undefined;
  try {
    service = await startService({ DATABASE_URL: url, ...env });
    return await use(service, url);
  } finally {
    await service?.stop();
    await close();
  }
};
