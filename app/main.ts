import { Cause, Effect, Exit, Fiber, Layer, Result } from "effect";

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
SIGHUP. A second signal ends it immediately. Settings are environment variables, which may also be in .env: see
.env.example.
`;

const settings = logSettingsIn(process.env);

/** Everything in this process logs here, whether it is part of the service or not. */
const logging = Effect.runSync(Effect.scoped(Layer.build(loggerLayer(settings))));
const log = Effect.runSyncWith(logging);
const run = Effect.runForkWith(logging);

/** Says why the process ends: to a person in sentences, to a collector in one line. */
const reportFailure = (message: string, details: Readonly<Record<string, unknown>> = {}): void => {
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
      `npm start takes no arguments, but got ${shown(argument)}. Settings are environment variables, ` +
        "such as PORT=3001 npm start. See --help.\n",
    );
    return EXIT_USAGE;
  }
  logNodeMessages();
  for (const unknown of unknownVariables(process.env, VARIABLES)) {
    log(Effect.logWarning(describeUnknown(unknown)));
  }
  try {
    return await serve(readConfiguration(process.env));
  } catch (error) {
    if (!(error instanceof ConfigurationInvalid)) throw error;
    reportFailure(error.message, { problems: error.problems });
    return EXIT_FAILED;
  }
};

const serve = async (configuration: Configuration): Promise<number> => {
  const fiber = run(runService(configuration, (listening) => welcome(configuration, listening)));
  stopOnSignal(fiber, configuration.SHUTDOWN_DELAY_MS + configuration.SHUTDOWN_TIMEOUT_MS);
  const exit = await Effect.runPromise(Fiber.await(fiber));
  if (Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) {
    log(Effect.logInfo("Tidemark stopped"));
    return 0;
  }
  const failure = Cause.findError(exit.cause);
  reportFailure(Result.isSuccess(failure) ? failure.success.message : Cause.pretty(exit.cause));
  return EXIT_FAILED;
};

/**
 * The first signal stops the service, within a time limit; the second one ends the process
 * immediately.
 */
const stopOnSignal = (fiber: Fiber.Fiber<never, unknown>, timeoutMs: number): void => {
  let stopping = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(EXIT_FAILED);
    stopping = true;
    log(Effect.logInfo(`${signal}: stopping. Send it again to stop immediately.`));
    setTimeout(() => {
      const open = [...new Set(process.getActiveResourcesInfo())].join(", ");
      reportFailure(`Not stopped within ${timeoutMs} ms: giving up. Still open: ${open}.`);
      process.exit(EXIT_FAILED);
    }, timeoutMs).unref();
    fiber.interruptUnsafe();
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  // The terminal was closed.
  process.on("SIGHUP", onSignal);
};

/** Node would write its warnings and uncaught errors to stderr in its own format. */
const logNodeMessages = (): void => {
  process.removeAllListeners("warning");
  process.on("warning", ({ name, message }) => {
    log(Effect.annotateLogs(Effect.logWarning(message), { name }));
  });
  process.on("uncaughtException", (error) => {
    log(Effect.logError("The process failed", Cause.die(error)));
    process.exit(EXIT_FAILED);
  });
};

// Whatever is still open, such as a library's timer, must not keep the process.
process.exit(await main());
