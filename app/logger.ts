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

/** Which format logs have: what is set, else pretty for a person at a terminal and JSON for a collector. */
export const logFormat = ({ LOG_FORMAT }: LogSettings): "pretty" | "json" =>
  LOG_FORMAT ?? (process.stdout.isTTY ? "pretty" : "json");

/** How to log when the configuration as a whole cannot be read: as far as the two variables are valid. */
export const logSettingsIn = (
  environment: Readonly<Record<string, string | undefined>>,
): LogSettings => {
  const { LOG_FORMAT: format, LOG_LEVEL: level } = environment;
  return {
    LOG_FORMAT: format === "json" || format === "pretty" ? format : undefined,
    LOG_LEVEL: level === "debug" || level === "warn" || level === "error" ? level : "info",
  };
};

/** Structured logs on stdout, one line each in JSON. */
export const loggerLayer = (settings: LogSettings): Layer.Layer<never> =>
  Layer.merge(
    Logger.layer([Logger.withConsoleLog(logFormat(settings) === "json" ? json : pretty)]),
    Layer.succeed(References.MinimumLogLevel, LEVELS[settings.LOG_LEVEL]),
  );

// Whatever is logged, a client may have had a hand in it: a path, or the message of an error about what
// was sent. So that nobody can write lines of their own into a log, or have a terminal do something, only
// what is written here breaks a line or colours it.

/** An entry has the fields that say something, and no others. JSON escapes line breaks, and leaves much that terminals obey. */
const json = Logger.map(
  Logger.formatStructured,
  ({ timestamp, level, message, cause, annotations }) => {
    const belonging = Object.fromEntries(said(annotations));
    return printable(
      Formatter.formatJson({
        timestamp,
        level,
        message,
        ...(cause === undefined ? {} : { cause }),
        ...(Object.keys(belonging).length === 0 ? {} : { annotations: belonging }),
      }),
    );
  },
);

/** A line for the message, and indented ones for all that belongs to it. */
const pretty = Logger.map(
  Logger.formatStructured,
  ({ timestamp, level, message, cause, annotations }) => {
    const time = timestamp.slice(TIME_AT, -1);
    const details = [
      ...(cause?.split("\n") ?? []).map(printable),
      ...said(annotations).map(([name, value]) => `${printable(name)}: ${shown(value)}`),
    ];
    return [`[${time}] ${coloured(level)}: ${shown(message)}`, ...details].join("\n  ");
  },
);

/** The annotations that have a value. */
const said = (annotations: Readonly<Record<string, unknown>>): ReadonlyArray<[string, unknown]> =>
  Object.entries(annotations).filter(([, value]) => value !== undefined);

/** Where in a timestamp the time of day begins. */
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
