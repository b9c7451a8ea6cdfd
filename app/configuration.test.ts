import { readFileSync } from "node:fs";
import { inspect } from "node:util";

import { Redacted } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { unknownVariables } from "../core/unknown_variables.ts";
import { ConfigurationInvalid, readConfiguration, VARIABLES } from "./configuration.ts";

const test = suite("readConfiguration");

const invalid = (environment: Readonly<Record<string, string>>): ReadonlyArray<string> => {
  try {
    readConfiguration(environment);
  } catch (error) {
    if (error instanceof ConfigurationInvalid) return error.problems;
    throw error;
  }
  return assert.unreachable(`accepted ${JSON.stringify(environment)}`) as never;
};

/** A setting as it was given, secret or not. */
const plain = (setting: unknown): unknown =>
  Redacted.isRedacted(setting) ? Redacted.value(setting) : setting;

test("without any variable, every setting has a safe default", () => {
  assert.equal(readConfiguration({}), {
    HOST: "127.0.0.1",
    PORT: 3000,
    DATA_DIR: ".data",
    AUTH: "optional",
    TRUST_PROXY: 0,
    ROLES: new Set(["api", "worker", "projector"]),
    MIGRATE_ON_START: true,
    SHARDS: 8,
    EVENT_TYPES: new Set(["message_sent", "call_made", "form_submitted", "login", "custom"]),
    EVENT_FUTURE_MAX_SECONDS: 300,
    EVENT_AGE_MAX_DAYS: 3_653,
    DATABASE_CONNECTIONS_MAX: 14,
    DATABASE_CONNECT_TIMEOUT_MS: 3_000,
    DATABASE_STATEMENT_TIMEOUT_MS: 10_000,
    ALLOW_UNSAFE_DATABASE: false,
    REQUEST_TIMEOUT_MS: 10_000,
    CONNECTIONS_MAX: 10_000,
    BODIES_BYTES_MAX: 67_108_864,
    ENQUEUE_BUFFER_BYTES_MAX: 33_554_432,
    QUEUE_DEPTH_MAX: 1_000_000,
    LAG_EVENTS_MAX: 2_000_000,
    CACHE_BYTES_MAX: 64 * 1024 * 1024,
    SHUTDOWN_DELAY_MS: 0,
    SHUTDOWN_TIMEOUT_MS: 15_000,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
    OTEL_SERVICE_NAME: "tidemark",
    OTEL_TRACES_SAMPLER_ARG: 1,
    LOG_LEVEL: "info",
  });
});

test("an empty variable counts as unset", () => {
  const empty = Object.fromEntries(VARIABLES.map((name) => [name, ""]));
  assert.equal(readConfiguration(empty), readConfiguration({}));
});

test("variables of other programs are ignored", () => {
  const others = { PATH: "/bin", SHARD: "7", port: "1", __proto__: "x" };
  assert.equal(readConfiguration(others), readConfiguration({}));
});

test(".env.example lists every variable in order, with exactly its default", () => {
  const file = readFileSync(new URL("../.env.example", import.meta.url), "utf8");
  const entries = Array.from(file.matchAll(/^#?([A-Z_]+)=(.*)$/gm), ([, name = "", value = ""]) => [
    name,
    value,
  ]);
  assert.equal(
    entries.map(([name]) => name),
    VARIABLES,
  );
  assert.equal(readConfiguration(Object.fromEntries(entries)), readConfiguration({}));
  // What is commented out has no default; what is not, has one.
  for (const name of VARIABLES) {
    const hasDefault = name in readConfiguration({});
    assert.is(new RegExp(`^${name}=.`, "m").test(file), hasDefault, name);
  }
});

for (const [name, min, max] of [
  ["PORT", 0, 65_535],
  ["SHARDS", 1, 256],
  ["EVENT_FUTURE_MAX_SECONDS", 0, 86_400],
  ["EVENT_AGE_MAX_DAYS", 1, 36_525],
  ["DATABASE_CONNECTIONS_MAX", 6, 1_000],
  ["DATABASE_CONNECT_TIMEOUT_MS", 100, 60_000],
  ["DATABASE_STATEMENT_TIMEOUT_MS", 100, 600_000],
  ["ENQUEUE_BUFFER_BYTES_MAX", 4_194_304, 1_099_511_627_776],
  ["CACHE_BYTES_MAX", 1_048_576, 1_099_511_627_776],
  ["SHUTDOWN_TIMEOUT_MS", 0, 600_000],
] as const) {
  test(`${name} is a whole number from ${min} to ${max}`, () => {
    for (const value of [min, max]) {
      assert.is(readConfiguration({ [name]: String(value) })[name], value);
    }
    const outside = [String(min - 1), String(max + 1), "9".repeat(20)];
    for (const value of [
      ...outside,
      "1.5",
      "1e3",
      "0x10",
      "ten",
      " 1",
      "1 ",
      "+1",
      "-0",
      "1_000",
    ]) {
      const message = `${name} must be a whole number from ${min} to ${max}`;
      assert.equal(invalid({ [name]: value }), [message], value);
    }
  });
}

for (const [name, values, message] of [
  ["MIGRATE_ON_START", { true: true, false: false }, /must be true or false/],
  [
    "LOG_LEVEL",
    { debug: "debug", info: "info", warn: "warn", error: "error" },
    /must be one of debug, info, warn, error/,
  ],
  ["LOG_FORMAT", { pretty: "pretty", json: "json" }, /must be pretty or json/],
] as const) {
  test(`${name} is one of ${Object.keys(values).join(", ")}`, () => {
    for (const [text, value] of Object.entries(values)) {
      assert.is(readConfiguration({ [name]: text })[name], value);
    }
    for (const text of ["1", "TRUE", "Info", "no", " json"]) {
      const [problem = ""] = invalid({ [name]: text });
      assert.match(problem, new RegExp(`^${name} `));
      assert.match(problem, message);
    }
  });
}

test("ROLES is a list of roles in any order, with spaces and duplicates allowed", () => {
  for (const [text, roles] of [
    ["api", ["api"]],
    ["projector,worker", ["projector", "worker"]],
    [" worker , api,worker, ", ["worker", "api"]],
  ] as const) {
    assert.equal([...readConfiguration({ ROLES: text }).ROLES], [...roles]);
  }
  assert.match(invalid({ ROLES: "api,admin" })[0] ?? "", /^ROLES .* but contains admin$/);
  assert.match(invalid({ ROLES: "API" })[0] ?? "", /^ROLES .* but contains API$/);
  assert.match(invalid({ ROLES: " , " })[0] ?? "", /^ROLES must contain at least one of api, /);
});

test("EVENT_TYPES is a list of types, or * for any", () => {
  assert.is(readConfiguration({ EVENT_TYPES: "*" }).EVENT_TYPES, "*");
  const { EVENT_TYPES } = readConfiguration({ EVENT_TYPES: "login, order.placed:v2 ,login" });
  assert.equal(EVENT_TYPES, new Set(["login", "order.placed:v2"]));
  for (const type of ["Login", "1st", "a b", "a".repeat(65), "__proto__", "*"]) {
    const [problem = ""] = invalid({ EVENT_TYPES: `login,${type}` });
    assert.match(problem, `EVENT_TYPES contains the type ${type}, which does not match ^[a-z]`);
  }
  assert.match(invalid({ EVENT_TYPES: "," })[0] ?? "", /^EVENT_TYPES must list at least one type/);
});

test("TRUST_PROXY needs AUTH=required, because clients behind the proxy could appear to be on this machine", () => {
  assert.is(readConfiguration({ TRUST_PROXY: "2", AUTH: "required" }).TRUST_PROXY, 2);
  assert.is(readConfiguration({ TRUST_PROXY: "0" }).TRUST_PROXY, 0);
  for (const AUTH of ["optional", ""]) {
    const [problem = "", ...others] = invalid({ TRUST_PROXY: "1", AUTH });
    assert.match(problem, /^TRUST_PROXY=1 needs AUTH=required: /);
    assert.equal(others, []);
  }
});

test("ALLOWED_HOSTS is a list of names without ports", () => {
  assert.equal(
    readConfiguration({ ALLOWED_HOSTS: "Tidemark, host.docker.internal" }).ALLOWED_HOSTS,
    new Set(["tidemark", "host.docker.internal"]),
  );
  for (const name of ["*", "tidemark:3000", "http://tidemark", "-a", ".local", ","]) {
    assert.match(invalid({ ALLOWED_HOSTS: name }).join(), /^ALLOWED_HOSTS must be a list of host/);
  }
});

test("CORS_ORIGINS is a list of origins as browsers send them, never a wildcard", () => {
  const { CORS_ORIGINS } = readConfiguration({
    CORS_ORIGINS: "https://app.example.com, http://localhost:5173",
  });
  assert.equal(CORS_ORIGINS, new Set(["https://app.example.com", "http://localhost:5173"]));
  for (const origin of [
    "*",
    "null",
    "app.example.com",
    "https://app.example.com/",
    "https://app.example.com:443",
    "https://App.example.com",
    "https://*.example.com",
    "ftp://example.com",
  ]) {
    const [problem = ""] = invalid({ CORS_ORIGINS: `https://a.example,${origin}` });
    assert.match(problem, /^CORS_ORIGINS must be a list of origins such as/, origin);
  }
});

for (const [name, urls, others, message] of [
  [
    "DATABASE_URL",
    ["postgres://db/x", "postgresql://me:secret@[::1]:5432/x?sslmode=require"],
    ["mysql://me:secret@db/x", "db.example.com:5432/secret", "postgres//me:secret@db/x"],
    /^DATABASE_URL must be a URL such as postgres:\/\//,
  ],
  [
    "REDIS_URL",
    ["redis://cache", "rediss://:secret@[::1]:6379/1"],
    ["http://me:secret@cache", "cache:6379", "redis//:secret@cache"],
    /^REDIS_URL must be a URL such as redis:\/\//,
  ],
  [
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    ["http://collector:4318", "https://[::1]:4318/otlp"],
    ["grpc://collector:4317", "collector:4317", "http://me:secret@collector"],
    /^OTEL_EXPORTER_OTLP_ENDPOINT must be a URL such as http:\/\//,
  ],
] as const) {
  test(`${name} is a URL of the right kind, and never repeated in the error`, () => {
    for (const url of urls) assert.is(plain(readConfiguration({ [name]: url })[name]), url);
    for (const url of [...others, urls[1].replace("[::1]", "host:port")]) {
      const [problem = ""] = invalid({ [name]: url });
      assert.match(problem, message);
      assert.not.match(problem, "secret");
    }
  });
}

test("DATABASE_URL has one host, because the driver supports no lists", () => {
  const refused = "DATABASE_URL must name a single host: an address that leads to the primary";
  for (const url of [
    "postgres://tidemark:secret@one,two/x?target_session_attrs=read-write",
    "postgres://tidemark:secret@one:5432,two:5433/x",
    "postgres://one,two",
    "postgres://tidemark@ignored/x?host=one,two",
  ]) {
    assert.equal(invalid({ DATABASE_URL: url }), [refused], url);
  }
  const DATABASE_URL = "postgres://tidemark:a,b@one/x,y?application_name=a,b";
  assert.is(plain(readConfiguration({ DATABASE_URL }).DATABASE_URL), DATABASE_URL);
});

test("MIGRATION_DATABASE_URL needs DATABASE_URL", () => {
  const MIGRATION_DATABASE_URL = "postgres://owner:secret@db/x";
  const DATABASE_URL = "postgres://service:secret@db/x";
  const read = readConfiguration({ DATABASE_URL, MIGRATION_DATABASE_URL });
  assert.is(plain(read.MIGRATION_DATABASE_URL), MIGRATION_DATABASE_URL);
  assert.equal(invalid({ MIGRATION_DATABASE_URL }), [
    "MIGRATION_DATABASE_URL needs DATABASE_URL as well",
  ]);
});

test("printing a configuration shows no secret", () => {
  const configuration = readConfiguration({
    DATABASE_URL: "postgres://service:secret@db/x",
    MIGRATION_DATABASE_URL: "postgres://owner:secret@db/x",
    REDIS_URL: "redis://:secret@cache",
    OTEL_EXPORTER_OTLP_HEADERS: "authorization=secret",
  });
  assert.not.match(JSON.stringify(configuration), "secret");
  assert.not.match(inspect(configuration), "secret");
});

test("all problems are reported together, one line each", () => {
  const problems = invalid({ PORT: "x", SHARDS: "0", ROLES: "a,b", LOG_LEVEL: "loud" });
  assert.equal(
    problems.map((problem) => problem.split(" ")[0]),
    ["PORT", "ROLES", "ROLES", "SHARDS", "LOG_LEVEL"],
  );
  const { message } = new ConfigurationInvalid(problems);
  assert.is(message.split("\n").length, 1 + problems.length);
});

test("OTEL_TRACES_SAMPLER_ARG is a number from 0 to 1", () => {
  for (const [text, value] of [
    ["0", 0],
    ["1", 1],
    ["1.0", 1],
    ["0.05", 0.05],
    [".5", 0.5],
  ] as const) {
    assert.is(readConfiguration({ OTEL_TRACES_SAMPLER_ARG: text }).OTEL_TRACES_SAMPLER_ARG, value);
  }
  for (const text of ["1.1", "-0.1", "2", "5%", "1e-3", "half", "."]) {
    const message = "OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1";
    assert.equal(invalid({ OTEL_TRACES_SAMPLER_ARG: text }), [message], text);
  }
});

test("OTEL_EXPORTER_OTLP_HEADERS is a list of names and values, percent-encoded", () => {
  const headersOf = (text: string) =>
    plain(readConfiguration({ OTEL_EXPORTER_OTLP_HEADERS: text }).OTEL_EXPORTER_OTLP_HEADERS);
  assert.equal(headersOf("authorization=Bearer%20a%3Db%2C, x-other = 1=2"), {
    authorization: "Bearer a=b,",
    "x-other": "1=2",
  });
  for (const text of ["authorization", "=secret", "a=%", "a=%zz", "a=%ff"]) {
    const [problem = ""] = invalid({ OTEL_EXPORTER_OTLP_HEADERS: text });
    assert.match(problem, /^OTEL_EXPORTER_OTLP_HEADERS must be a list such as name=value/);
    assert.not.match(problem, "secret");
  }
});

test("no common environment variable is mistaken for a mistyped setting", () => {
  const names =
    "PATH HOME USER LOGNAME SHELL TERM LANG LANGUAGE LC_ALL PWD OLDPWD SHLVL HOSTNAME HOSTTYPE MAIL EDITOR PAGER TZ " +
    "TMPDIR DISPLAY COLORTERM LS_COLORS SSH_AUTH_SOCK SSH_TTY XDG_DATA_DIRS XDG_DATA_HOME XDG_RUNTIME_DIR DEBUG CI " +
    "NODE_ENV NODE_OPTIONS NODE_PATH NODE_VERSION YARN_VERSION npm_config_cache npm_lifecycle_event INIT_CWD EDITOR _ " +
    "COLOR NO_COLOR FORCE_COLOR http_proxy https_proxy no_proxy GITHUB_ACTIONS GITHUB_SHA RUNNER_OS KUBERNETES_PORT " +
    "PGHOST PGPORT PGUSER PGPASSWORD PGDATABASE PGDATA POSTGRES_USER POSTGRES_PASSWORD POSTGRES_DB POSTGRES_HOST " +
    "POSTGRES_URL REDIS_HOST REDIS_PORT REDIS_PASSWORD REDISCLI_AUTH MYSQL_HOST DB_HOST DB_URL BASE_URL API_URL API_KEY " +
    "API_PORT BIND METRICS_KEY JAVA_HOME GOPATH AWS_REGION AWS_ROLE_ARN TEST_DATABASE_URL TEST_WORKERS K6 RATE " +
    "OTEL_TRACES_EXPORTER OTEL_METRICS_EXPORTER OTEL_LOGS_EXPORTER OTEL_PROPAGATORS OTEL_SDK_DISABLED " +
    "OTEL_TRACES_SAMPLER VIRTUAL_ENV PYTHONPATH SUDO_USER SUDO_UID DOCKER_HOST COMPOSE_PROJECT_NAME LOG_FILE LOG_DIR";
  const environment = Object.fromEntries(names.split(" ").map((name) => [name, "1"]));
  assert.equal(unknownVariables(environment, VARIABLES), []);
});

test.run();
