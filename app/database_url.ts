import { Data, Effect, type Scope } from "effect";

import type { Configuration } from "./configuration.ts";

/** The embedded database could not be started, or ended by itself. */
export class EmbeddedDatabaseFailed extends Data.TaggedError("EmbeddedDatabaseFailed")<{
  readonly message: string;
}> {}

export interface DatabaseUrl {
  readonly url: string;
  /** Never succeeds; fails when an embedded database ends by itself. */
  readonly ended: Effect.Effect<never, EmbeddedDatabaseFailed>;
}

/**
 * The database to use: the configured one, or an embedded one that runs until the scope closes.
 *
 * @errors `EmbeddedDatabaseFailed`, also when another process owns the data folder
 */
export const databaseUrl = (
  configuration: Configuration,
): Effect.Effect<DatabaseUrl, EmbeddedDatabaseFailed, Scope.Scope> =>
  configuration.DATABASE_URL === undefined
    ? embedded(configuration.DATA_DIR)
    : Effect.succeed({ url: configuration.DATABASE_URL, ended: Effect.never });

const embedded = Effect.fnUntraced(function* (dataDir: string) {
  const services = yield* Effect.context();
  const notice = (sentence: string): void => {
    Effect.runForkWith(services)(Effect.logInfo(sentence));
  };
  const server = yield* Effect.acquireRelease(
    Effect.tryPromise({
      try: async () => {
        // Loaded only here: a service with a database of its own has no use for the binaries.
        const { startEmbeddedPostgres } =
          await import("../adapters/embedded_postgres/embedded_postgres.ts");
        return startEmbeddedPostgres({ dataDir, onNotice: notice });
      },
      catch: (error) => new EmbeddedDatabaseFailed({ message: messageOf(error) }),
    }),
    ({ stop }) => Effect.promise(stop),
  );
  yield* Effect.logDebug("The embedded Postgres runs").pipe(
    Effect.annotateLogs({ data_dir: dataDir, pid: server.pid }),
  );
  const ended = Effect.flatMap(
    Effect.promise(() => server.exited),
    ({ expected }) =>
      expected
        ? Effect.never
        : new EmbeddedDatabaseFailed({
            message: `The embedded Postgres ended by itself; ${dataDir}/postgres.log says why.`,
          }),
  );
  return { url: server.url, ended };
});

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
