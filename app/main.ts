import { Cause, Effect, Exit, Fiber, Result } from "effect";

import { ConfigurationInvalid, type Configuration, readConfiguration } from "./configuration.ts";
import { loggerLayer } from "./logger.ts";
import { runService } from "./service.ts";
import { welcome } from "./welcome.ts";

const USAGE = `Usage: npm start

Starts Tidemark with the roles in ROLES (default: api, worker and projector) and runs until SIGTERM or
SIGINT; a second signal does not wait for what is under way. Settings are environment variables:
see .env.example.
`;

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

const main = async (): Promise<number> => {
  const [argument] = process.argv.slice(2);
  if (argument === "--help" || argument === "-h") {
    process.stdout.write(USAGE);
    return 0;
  }
  if (argument !== undefined) {
    process.stderr.write(`Unknown argument: ${argument}\n\n${USAGE}`);
    return EXIT_USAGE;
  }
  try {
    return await serve(readConfiguration(process.env));
  } catch (error) {
    if (!(error instanceof ConfigurationInvalid)) throw error;
    process.stderr.write(`${error.message}\n`);
    return EXIT_FAILED;
  }
};

const serve = async (configuration: Configuration): Promise<number> => {
  const service = runService(configuration, (url) => welcome(configuration, url));
  const fiber = Effect.runFork(Effect.provide(service, loggerLayer(configuration)));
  stopOnSignal(fiber, configuration.SHUTDOWN_DELAY_MS + configuration.SHUTDOWN_TIMEOUT_MS);
  const exit = await Effect.runPromise(Fiber.await(fiber));
  if (Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) return 0;
  const failure = Cause.findError(exit.cause);
  process.stderr.write(
    `${Result.isSuccess(failure) ? failure.success.message : Cause.pretty(exit.cause)}\n`,
  );
  return EXIT_FAILED;
};

/** The first signal stops the service, within a bound; the second one ends the process at once. */
const stopOnSignal = (fiber: Fiber.Fiber<never, unknown>, timeoutMs: number): void => {
  let stopping = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(EXIT_FAILED);
    stopping = true;
    process.stderr.write(`${signal}: stopping. Once more to stop at once.\n`);
    setTimeout(() => {
      const open = [...new Set(process.getActiveResourcesInfo())].join(", ");
      process.stderr.write(`Still not stopped after ${timeoutMs} ms: giving up. Open: ${open}.\n`);
      process.exit(EXIT_FAILED);
    }, timeoutMs).unref();
    Effect.runFork(Fiber.interrupt(fiber));
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
};

// What is open by now, such as a timer of a library, is nothing to wait for.
process.exit(await main());
