import { Formatter, Layer, Logger, type LogLevel, References } from "effect";

import { printable } from "../core/printable.ts";
import type { Configuration } from "./configuration.ts";

type LogSettings = Pick<Configuration, "LOG_LEVEL" | "LOG_FORMAT">;

const LEVELS: Readonly<Record<Configuration["LOG_LEVEL"], LogLevel.LogLevel>> = {
  debug: "Debug",
  info: "Info",
  warn: "Warn",
  error: "Error",
};

/**
 * The format of logs. Unless it is set: pretty on a terminal, and otherwise JSON for a collector.
 */
export const logFormat = ({ LOG_FORMAT }: LogSettings): "pretty" | "json" =>
  LOG_FORMAT ?? (process.stdout.isTTY ? "pretty" : "json");

/**
 * The settings for logs, with their defaults where invalid: they are needed before the
 * configuration is read.
 */
export const logSettingsIn = (
  environment: Readonly<Record<string, string | undefined>>,
): LogSettings => {
  const { LOG_FORMAT: format, LOG_LEVEL: level } = environment;
  return {
    LOG_FORMAT: format === "json" || format === "pretty" ? format : undefined,
    LOG_LEVEL: level === "debug" || level === "warn" || level === "error" ? level : "info",
  };
};

/** Structured logs on stdout: in JSON, one line for each entry. */
export const loggerLayer = (settings: LogSettings): Layer.Layer<never> =>
  Layer.merge(
    Logger.layer([Logger.withConsoleLog(logFormat(settings) === "json" ? json : pretty)]),
    Layer.succeed(References.MinimumLogLevel, LEVELS[settings.LOG_LEVEL]),
  );

// What is logged can contain text of a client, such as a path or an error message about its
// request. Only this file adds line breaks and colours, so that no client can forge lines or
// control a terminal.

/** Empty fields are left out. JSON escapes line breaks, but not everything that terminals obey. */
const json = Logger.map(
  Logger.formatStructured,
  ({ timestamp, level, message, cause, annotations }) => {
    const details = Object.fromEntries(definedIn(annotations));
    return printable(
      Formatter.formatJson({
        timestamp,
        level,
        message,
        ...(cause === undefined ? {} : { cause }),
        ...(Object.keys(details).length === 0 ? {} : { annotations: details }),
      }),
    );
  },
);

/** A line for the message, and indented lines for its details. */
const pretty = Logger.map(
  Logger.formatStructured,
  ({ timestamp, level, message, cause, annotations }) => {
    const time = timestamp.slice(TIME_AT, -1);
    const details = [
      ...(cause?.split("\n") ?? []).map(printable),
      ...definedIn(annotations).map(([name, value]) => `${printable(name)}: ${shown(value)}`),
    ];
    return [`[${time}] ${coloured(level)}: ${shown(message)}`, ...details].join("\n  ");
  },
);

/** The annotations that have a value. */
const definedIn = (
  annotations: Readonly<Record<string, unknown>>,
): ReadonlyArray<[string, unknown]> =>
  Object.entries(annotations).filter(([, value]) => value !== undefined);

/** The index of the time of day in a timestamp. */
const TIME_AT = "2026-01-31T".length;

const shown = (value: unknown): string =>
  printable(typeof value === "string" ? value : Formatter.formatJson(value));

const COLOURS: Readonly<Record<string, number | undefined>> = {
  DEBUG: 34,
  INFO: 32,
  WARN: 33,
  ERROR: 31,
};

const coloured = (level: string): string => {
  const colour = process.stdout.isTTY && !process.env["NO_COLOR"] ? COLOURS[level] : undefined;
  return colour === undefined ? level : `\u001b[${colour}m${level}\u001b[0m`;
};
