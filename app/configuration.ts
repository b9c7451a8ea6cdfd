import { Redacted } from "effect";
import { z } from "zod";

import { EVENT_TYPE_PATTERN, EVENT_TYPES_DEFAULT, type EventTypes } from "../core/event/rules.ts";
import { SHARDS_DEFAULT, SHARDS_MAX } from "../core/event/shard.ts";

/** The roles of a process; one process can have all of them. */
export const ROLES = ["api", "worker", "projector"] as const;
export type Role = (typeof ROLES)[number];

/**
 * The fewest connections to the database that a process works with: one for each purpose, and two
 * for control.
 */
export const CONNECTIONS_MIN = 6;

/** The service cannot or must not run with the value of a variable. */
export class ConfigurationInvalid extends Error {
  override readonly name = "ConfigurationInvalid";
  readonly problems: ReadonlyArray<string>;
  constructor(problems: ReadonlyArray<string>) {
    super(`The configuration is invalid:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
    this.problems = problems;
  }
}

const integer = (min: number, max: number) => {
  const message = `must be a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^[0-9]{1,15}$/, message)
    .transform(Number)
    .refine((value) => value >= min && value <= max, message);
};

const list = (text: string): ReadonlyArray<string> =>
  text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");

const boolean = z
  .enum(["true", "false"], "must be true or false")
  .transform((value) => value === "true");

const roles = z.string().transform((text, context): ReadonlySet<Role> => {
  const names = list(text);
  for (const name of names) {
    if (!ROLES.some((role) => role === name)) {
      context.addIssue(`must be a list of ${ROLES.join(", ")}, but contains ${name}`);
    }
  }
  if (names.length === 0) context.addIssue(`must contain at least one of ${ROLES.join(", ")}`);
  return new Set(names as ReadonlyArray<Role>);
});

const eventTypes = z.string().transform((text, context): EventTypes => {
  if (text.trim() === "*") return "*";
  const names = list(text);
  for (const name of names) {
    if (!EVENT_TYPE_PATTERN.test(name)) {
      context.addIssue(
        `contains the type ${name}, which does not match ${EVENT_TYPE_PATTERN.source}`,
      );
    }
  }
  if (names.length === 0) context.addIssue("must list at least one type, or be * for any type");
  return new Set(names);
});

/** Origins as browsers send them: without a path, and in canonical form. */
const origins = z.string().transform((text, context): ReadonlySet<string> => {
  const names = list(text);
  for (const name of names) {
    if (!/^https?:\/\/[^*]+$/.test(name) || !URL.canParse(name) || new URL(name).origin !== name) {
      context.addIssue("must be a list of origins such as https://app.example.com, without paths");
      break;
    }
  }
  return new Set(names);
});

/** Names as in a Host header, without a port. */
const hostNames = z.string().transform((text, context): ReadonlySet<string> => {
  const names = list(text.toLowerCase());
  if (names.length === 0 || !names.every((name) => /^[a-z0-9_]([a-z0-9._-]{0,252})$/.test(name))) {
    context.addIssue(
      "must be a list of host names such as tidemark,tidemark.internal, without ports",
    );
  }
  return new Set(names);
});

/**
 * Whether a URL names one host at most. Unlike libpq, `pg` does not support lists of hosts, and
 * would look up "one,two".
 */
const hasOneHost = (text: string): boolean => {
  const [url = "", parameters] = text.split("?", 2);
  const [, , authority = ""] = url.split("/", 3);
  const hosts = [
    authority.slice(authority.lastIndexOf("@") + 1),
    ...new URLSearchParams(parameters).getAll("host"),
  ];
  return hosts.every((host) => !host.includes(","));
};

const databaseUrl = z
  .string()
  .refine(hasOneHost, {
    error: "must name a single host: an address that leads to the primary",
    abort: true,
  })
  .refine(
    (text) => /^postgres(ql)?:\/\//.test(text) && URL.canParse(text),
    "must be a URL such as postgres://user:password@host:5432/database",
  )
  .transform((url) => Redacted.make(url));

const redisUrl = z
  .string()
  .refine(
    (text) => /^rediss?:\/\//.test(text) && URL.canParse(text),
    "must be a URL such as redis://:password@host:6379/0, or rediss:// for TLS",
  )
  .transform((url) => Redacted.make(url));

const collectorUrl = z
  .string()
  .refine(
    (text) => /^https?:\/\//.test(text) && URL.parse(text)?.username === "",
    "must be a URL such as http://127.0.0.1:4318; put credentials into OTEL_EXPORTER_OTLP_HEADERS",
  );

/** A list of names and values in the format of OpenTelemetry. */
const pairs = z.string().transform((text, context): Readonly<Record<string, string>> => {
  const read: Record<string, string> = {};
  for (const pair of list(text)) {
    const [, name, value] = /^([^=]+)=(.*)$/.exec(pair) ?? [];
    // Every percent sign must start an encoded byte.
    if (name === undefined || value === undefined || !/^(?:[^%]|%[0-7][0-9a-f])*$/i.test(pair)) {
      context.addIssue("must be a list such as name=value,other=value, percent-encoded in ASCII");
    } else {
      read[decodeURIComponent(name.trim())] = decodeURIComponent(value.trim());
    }
  }
  return read;
});

const ratio = z
  .string()
  .regex(/^(0|1|0?\.[0-9]{1,9}|1\.0*|0\.)$/, "must be a number from 0 to 1")
  .transform(Number);

// .env.example documents each line. A test compares the two.
const schema = z.object({
  HOST: z.string().default("127.0.0.1"),
  PORT: integer(0, 65_535).default(3000),
  DATABASE_URL: databaseUrl.optional(),
  MIGRATION_DATABASE_URL: databaseUrl.optional(),
  DATA_DIR: z.string().default(".data"),
  REDIS_URL: redisUrl.optional(),
  AUTH: z.enum(["optional", "required"], "must be optional or required").default("optional"),
  RATE_LIMIT_ANONYMOUS: integer(1, 1_000_000).optional(),
  ACCOUNT_EVENTS_PER_MINUTE: integer(1, 1_000_000_000).optional(),
  TRUST_PROXY: integer(0, 10).default(0),
  ALLOWED_HOSTS: hostNames.optional(),
  CORS_ORIGINS: origins.optional(),
  ROLES: roles.default(new Set(ROLES)),
  MIGRATE_ON_START: boolean.default(true),
  SHARDS: integer(1, SHARDS_MAX).default(SHARDS_DEFAULT),
  EVENT_TYPES: eventTypes.default(new Set(EVENT_TYPES_DEFAULT)),
  EVENT_FUTURE_MAX_SECONDS: integer(0, 86_400).default(300),
  EVENT_AGE_MAX_DAYS: integer(1, 36_525).default(3_653),
  DATABASE_CONNECTIONS_MAX: integer(CONNECTIONS_MIN, 1_000).default(14),
  DATABASE_CONNECT_TIMEOUT_MS: integer(100, 60_000).default(3_000),
  DATABASE_STATEMENT_TIMEOUT_MS: integer(100, 600_000).default(10_000),
  ALLOW_UNSAFE_DATABASE: boolean.default(false),
  REQUEST_TIMEOUT_MS: integer(100, 600_000).default(10_000),
  CONNECTIONS_MAX: integer(1, 1_000_000).default(10_000),
  BODIES_BYTES_MAX: integer(2_097_152, 1_099_511_627_776).default(67_108_864),
  ENQUEUE_BUFFER_BYTES_MAX: integer(4_194_304, 1_099_511_627_776).default(33_554_432),
  QUEUE_DEPTH_MAX: integer(1_000, 1_000_000_000_000).default(1_000_000),
  LAG_EVENTS_MAX: integer(1_000, 1_000_000_000_000).default(2_000_000),
  CACHE_BYTES_MAX: integer(1_048_576, 1_099_511_627_776).default(67_108_864),
  SHUTDOWN_DELAY_MS: integer(0, 600_000).default(0),
  SHUTDOWN_TIMEOUT_MS: integer(0, 600_000).default(15_000),
  OTEL_EXPORTER_OTLP_ENDPOINT: collectorUrl.optional(),
  OTEL_EXPORTER_OTLP_HEADERS: pairs.transform((headers) => Redacted.make(headers)).optional(),
  OTEL_EXPORTER_OTLP_PROTOCOL: z
    .enum(["http/protobuf", "http/json"], "must be http/protobuf or http/json")
    .default("http/protobuf"),
  OTEL_SERVICE_NAME: z.string().default("tidemark"),
  // Effect reads them itself, and would fail without naming the variable.
  OTEL_RESOURCE_ATTRIBUTES: pairs.optional(),
  OTEL_TRACES_SAMPLER_ARG: ratio.default(1),
  LOG_LEVEL: z
    .enum(["debug", "info", "warn", "error"], "must be one of debug, info, warn, error")
    .default("info"),
  LOG_FORMAT: z.enum(["pretty", "json"], "must be pretty or json").optional(),
});

/** All settings, by the names of their environment variables. */
export type Configuration = Readonly<z.output<typeof schema>>;

/** The names of all variables, in order. */
export const VARIABLES: ReadonlyArray<string> = Object.keys(schema.shape);

/**
 * Reads the configuration from environment variables. An empty variable counts as unset.
 *
 * @throws ConfigurationInvalid naming every invalid variable
 */
export const readConfiguration = (
  environment: Readonly<Record<string, string | undefined>>,
): Configuration => {
  const set = Object.entries(environment).filter(
    ([, value]) => value !== undefined && value !== "",
  );
  const parsed = schema.safeParse(Object.fromEntries(set));
  if (!parsed.success) {
    throw new ConfigurationInvalid(
      parsed.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`),
    );
  }
  const { DATABASE_URL, MIGRATION_DATABASE_URL } = parsed.data;
  if (MIGRATION_DATABASE_URL !== undefined && DATABASE_URL === undefined) {
    throw new ConfigurationInvalid(["MIGRATION_DATABASE_URL needs DATABASE_URL as well"]);
  }
  const { AUTH, TRUST_PROXY } = parsed.data;
  if (TRUST_PROXY > 0 && AUTH !== "required") {
    throw new ConfigurationInvalid([
      `TRUST_PROXY=${TRUST_PROXY} needs AUTH=required: behind a proxy every client appears to be on this machine, ` +
        "and without any key all of them would be administrators",
    ]);
  }
  return parsed.data;
};
