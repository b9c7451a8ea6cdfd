import { Context, Data, Deferred, Effect, Layer, Redacted } from "effect";

import { messageOf } from "../../core/printable.ts";
import type { Configuration } from "../configuration.ts";
import { Ended } from "../phase.ts";

/** The embedded database could not be started, or ended by itself. */
export class EmbeddedDatabaseFailed extends Data.TaggedError("EmbeddedDatabaseFailed")<{
  readonly message: string;
}> {}

/** Where the database is. */
export class DatabaseUrl extends Context.Service<DatabaseUrl, Redacted.Redacted>()(
  "tidemark/DatabaseUrl",
) {}

/**
 * The database to use: the configured one, or an embedded one that runs until the scope closes.
 *
 * @errors `EmbeddedDatabaseFailed`, also when another process owns the data folder
 */
export const databaseUrlLayer = ({
  DATABASE_URL,
  DATA_DIR,
}: Pick<Configuration, "DATABASE_URL" | "DATA_DIR">): Layer.Layer<
  DatabaseUrl,
  EmbeddedDatabaseFailed,
  Ended
> =>
  DATABASE_URL === undefined
    ? Layer.effect(DatabaseUrl, startEmbedded(DATA_DIR))
    : Layer.succeed(DatabaseUrl, DATABASE_URL);

const startEmbedded = Effect.fnUntraced(function* (dataDir: string) {
  const run = Effect.runForkWith(yield* Effect.context());
  const server = yield* Effect.acquireRelease(
    Effect.tryPromise({
      try: async () => {
        // Loaded only here: a service with a database of its own does not need the binaries.
        const { startEmbeddedPostgres } =
          await import("../../adapters/embedded_postgres/embedded_postgres.ts");
        return startEmbeddedPostgres({
          dataDir,
          onNotice: (sentence) => void run(Effect.logInfo(sentence)),
        });
      },
      catch: (error) => new EmbeddedDatabaseFailed({ message: messageOf(error) }),
    }),
    ({ stop }) => Effect.promise(stop),
  );
  yield* Effect.annotateLogs(Effect.logDebug("The embedded Postgres runs"), {
    data_dir: dataDir,
    pid: server.pid,
  });
  const ended = yield* Ended;
  yield* Effect.forkScoped(
    Effect.gen(function* () {
      const { expected } = yield* Effect.promise(() => server.exited);
      if (expected) return;
      const message = `The embedded Postgres ended by itself; ${dataDir}/postgres.log says why.`;
      yield* Deferred.fail(ended, new EmbeddedDatabaseFailed({ message }));
    }),
  );
  return Redacted.make(server.url);
});
