import { Layer, Logger, type LogLevel, References } from "effect";

import type { Configuration } from "./configuration.ts";

type LogSettings = Pick<Configuration, "LOG_LEVEL" | "LOG_FORMAT">;

const LEVELS: Readonly<Record<Configuration["LOG_LEVEL"], LogLevel.LogLevel>> = {
  debug: "Debug",
  info: "Info",
  warn: "Warn",
  error: "Error",
};

/** Which format logs have: what is set, else pretty for a person at a terminal and JSON for a collector. */
const logFormat = ({ LOG_FORMAT }: LogSettings): "pretty" | "json" =>
  LOG_FORMAT ?? (process.stdout.isTTY ? "pretty" : "json");

/** Structured logs on stdout, one line each in JSON. */
export const loggerLayer = (settings: LogSettings): Layer.Layer<never> =>
  Layer.merge(
    Logger.layer([logFormat(settings) === "json" ? Logger.consoleJson : Logger.consolePretty()]),
    Layer.succeed(References.MinimumLogLevel, LEVELS[settings.LOG_LEVEL]),
  );
