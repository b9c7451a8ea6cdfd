import { Cause, Effect, Exit, Fiber, Result } from "effect";

import { EXIT_FAILED, EXIT_USAGE, shown } from "../adapters/terminal/command_line.ts";
import { describeUnknown, unknownVariables } from "../core/unknown_variables.ts";
import {
  ConfigurationInvalid,
  type Configuration,
  readConfiguration,
  VARIABLES,
} from "./configuration.ts";
import { logFormat, loggerLayer, logSettingsIn } from "./logger.ts";
import { runService } from "./service.ts";
import { welcome } from "./welcome.ts";

const USAGE = `Usage: npm start

Starts Tidemark with the roles in ROLES (default: api, worker and projector) and runs until SIGTERM, SIGINT or
SIGHUP; a second signal does not wait for what is under way. Settings are environment variables, which
may also be in .env: see .env.example.
`;

/** Also for what happens outside of the service: whatever this process says is in one format. */
const settings = logSettingsIn(process.env);

const log = (entry: Effect.Effect<void>): void => {
  Effect.runSync(Effect.provide(entry, loggerLayer(settings)));
};

/** Says why the process ends: in sentences to a person, and in a line to a collector. */
const tellFailure = (message: string, details: Readonly<Record<string, unknown>> = {}): void => {
  if (logFormat(settings) === "json") log(Effect.annotateLogs(Effect.logError(message), details));
  else process.stderr.write(`${message}\n`);
};

const main = async (): Promise<number> => {
  const [argument] = process.argv.slice(2);
  if (argument === "--help" || argument === "-h") {
    process.stdout.write(USAGE);
    return 0;
  }
  if (argument !== undefined) {
    process.stderr.write(
      `npm start takes no arguments such as ${shown(argument)}: settings are environment variables, ` +
        "such as PORT=3001 npm start.\n--help says more.\n",
    );
    return EXIT_USAGE;
  }
  logWhatNodeSays();
  for (const unknown of unknownVariables(process.env, VARIABLES)) {
    log(Effect.logWarning(describeUnknown(unknown)));
  }
  try {
    return await serve(readConfiguration(process.env));
  } catch (error) {
    if (!(error instanceof ConfigurationInvalid)) throw error;
    tellFailure(error.message, { problems: error.problems });
    return EXIT_FAILED;
  }
};

const serve = async (configuration: Configuration): Promise<number> => {
  const service = runService(configuration, (listening) => welcome(configuration, listening));
  const fiber = Effect.runFork(Effect.provide(service, loggerLayer(configuration)));
  stopOnSignal(fiber, configuration.SHUTDOWN_DELAY_MS + configuration.SHUTDOWN_TIMEOUT_MS);
  const exit = await Effect.runPromise(Fiber.await(fiber));
  if (Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) {
    log(Effect.logInfo("Tidemark stopped"));
    return 0;
  }
  const failure = Cause.findError(exit.cause);
  tellFailure(Result.isSuccess(failure) ? failure.success.message : Cause.pretty(exit.cause));
  return EXIT_FAILED;
};

/** The first signal stops the service, within a bound; the second one ends the process at once. */
const stopOnSignal = (fiber: Fiber.Fiber<never, unknown>, timeoutMs: number): void => {
  let stopping = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(EXIT_FAILED);
    stopping = true;
    log(Effect.logInfo(`${signal}: stopping. Send it again to stop at once.`));
    setTimeout(() => {
      const open = [...new Set(process.getActiveResourcesInfo())].join(", ");
      tellFailure(`Still not stopped after ${timeoutMs} ms: giving up. Open: ${open}.`);
      process.exit(EXIT_FAILED);
    }, timeoutMs).unref();
    Effect.runFork(Fiber.interrupt(fiber));
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  // The terminal was closed.
  process.on("SIGHUP", onSignal);
};

/** Node would write its warnings, and the stack of an error that nobody caught, to stderr in a format of its own. */
const logWhatNodeSays = (): void => {
  process.removeAllListeners("warning");
  process.on("warning", ({ name, message }) => {
    log(Effect.annotateLogs(Effect.logWarning(message), { name }));
  });
  process.on("uncaughtException", (error) => {
    log(Effect.logError("The process failed", Cause.die(error)));
    process.exit(EXIT_FAILED);
  });
};

// What is open by now, such as a timer of a library, is nothing to wait for.
process.exit(await main());
