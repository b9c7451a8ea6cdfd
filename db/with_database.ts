import { describeUnknown, unknownVariables } from "../core/unknown_variables.ts";

interface Options {
  /**
   * Makes an embedded database where there is none, and tells what is done in sentences. Without it a folder that holds
   * none is an error: it may be mistyped, and an empty list would look as if everything were lost.
   */
  readonly create?: (sentence: string) => void;
}

/**
 * Runs `use` with the URL of the configured database, DATABASE_URL or the embedded one under DATA_DIR, which
 * is started for as long as it takes unless a service runs it already.
 */
export async function withDatabase<A>(
  use: (url: string) => Promise<A>,
  { create }: Options = {},
): Promise<A> {
  const url = databaseUrl("DATABASE_URL");
  if (url !== undefined) return use(url);
  warnOfMistypedVariables();
  // Loaded only here: a server with a database of its own has no use for the embedded binaries.
  const { connectEmbeddedPostgres } =
    await import("../adapters/embedded_postgres/embedded_postgres.ts");
  const embedded = await connectEmbeddedPostgres({
    dataDir: variable("DATA_DIR") ?? ".data",
    ...(create === undefined ? { mustExist: true } : { onNotice: create }),
  });
  try {
    return await use(embedded.url);
  } finally {
    await embedded.stop();
  }
}

/**
 * The same for what changes the schema: MIGRATION_DATABASE_URL goes first, which is of the same database but
 * of a role that may.
 */
export async function withMigrationDatabase<A>(
  use: (url: string) => Promise<A>,
  options: Options = {},
): Promise<A> {
  const url = databaseUrl("MIGRATION_DATABASE_URL");
  return url === undefined ? withDatabase(use, options) : use(url);
}

/** @throws where the variable holds what is no connection string, which is not repeated: it may be a secret */
function databaseUrl(name: string): string | undefined {
  const url = variable(name);
  if (url === undefined || (/^postgres(?:ql)?:\/\//.test(url) && URL.canParse(url))) return url;
  throw new Error(`${name} must be a URL such as postgres://user:password@host:5432/database`);
}

/** Without it, who mistyped DATABASE_URL would work on another database and not know. */
function warnOfMistypedVariables(): void {
  const known = ["DATABASE_URL", "MIGRATION_DATABASE_URL", "DATA_DIR"];
  for (const unknown of unknownVariables(process.env, known)) {
    if (unknown.meant !== undefined) process.stderr.write(`${describeUnknown(unknown)}\n`);
  }
}

/** A variable's value; an empty one counts as unset. */
export function variable(name: string): string | undefined {
  const value = process.env[name];
  return value === "" ? undefined : value;
}
