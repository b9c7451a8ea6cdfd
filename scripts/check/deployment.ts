/** What Dockerfile and docker-compose.yml repeat from elsewhere, and what they must not be careless about. */
import { parse } from "yaml";

import { checkObservability } from "./observability.ts";
import type { Problem } from "./problem.ts";
import type { Tree } from "./tree.ts";

const COMPOSE = "docker-compose.yml";

interface Service {
  readonly image?: string;
  readonly build?: unknown;
  readonly environment?: Readonly<Record<string, unknown>>;
  readonly ports?: ReadonlyArray<string>;
  readonly mem_limit?: string;
  readonly command?: ReadonlyArray<string> | string;
}

export function checkDeployment(tree: Tree): Problem[] {
  return [...checkNodeVersion(tree), ...checkCompose(tree), ...checkObservability(tree)];
}

/** The image runs the Node that the tests ran on. */
function checkNodeVersion(tree: Tree): Problem[] {
  const dockerfile = tree.get("Dockerfile");
  if (dockerfile === undefined) return [];
  const { optionalDependencies = {} } = JSON.parse(tree.get("package.json") ?? "{}") as {
    optionalDependencies?: Record<string, string>;
  };
  const version = /^ARG NODE_VERSION=(\S+)$/m.exec(dockerfile)?.[1];
  // A package for each platform, all of one version.
  const wanted = Object.keys(optionalDependencies).filter((name) => name.startsWith("node-"));
  return wanted
    .filter((name) => optionalDependencies[name] !== version)
    .map((name) => ({
      path: "Dockerfile",
      message: `has Node ${version}, package.json has ${name} ${optionalDependencies[name]}`,
    }));
}

function checkCompose(tree: Tree): Problem[] {
  const text = tree.get(COMPOSE);
  if (text === undefined) return [];
  const { services } = parse(text, { merge: true }) as { services: Record<string, Service> };
  const example = tree.get(".env.example") ?? "";
  const variables = new Set(Array.from(example.matchAll(/^#?([A-Z_]+)=/gm), ([, name]) => name));
  // Whom Postgres's image makes its superuser.
  const superusers = new Set(
    Object.values(services)
      .filter(({ image = "" }) => image.startsWith("postgres:"))
      .map(({ environment = {} }) => environment["POSTGRES_USER"] ?? "postgres"),
  );
  return Object.entries(services).flatMap(([name, service]) =>
    [
      ...problemsOf(service, variables),
      ...roleProblemsOf(service, superusers),
      ...(service.build === undefined
        ? []
        : [...forgottenIn(service, variables), ...heapProblemsOf(service)]),
    ].map((problem) => ({ path: COMPOSE, message: `the service ${name} ${problem}` })),
  );
}

/** What a process of the compose file has no use for. */
const NOT_IN_COMPOSE: ReadonlySet<unknown> = new Set([
  // The image has no embedded database.
  "DATA_DIR",
  // It is for a service without a key, and AUTH is `required` there.
  "ALLOWED_HOSTS",
  // Only what migrates may know it.
  "MIGRATION_DATABASE_URL",
]);

/** What an operator sets in .env must reach the process, or it is ignored without a word. */
function forgottenIn(
  { environment = {} }: Service,
  variables: ReadonlySet<string | undefined>,
): string[] {
  // What migrates needs few of them.
  if (!("ROLES" in environment)) return [];
  return [...variables]
    .filter((name) => name !== undefined && !(name in environment) && !NOT_IN_COMPOSE.has(name))
    .map((name) => `does not pass ${name} on: it is in .env.example`);
}

/** What a process needs beside its old generation: the young one, buffers, code and Node itself. */
const BESIDE_HEAP_MIB = 128;

/** A heap that may grow past its container's memory ends the process without a word of why. */
function heapProblemsOf({ command, mem_limit: limit = "" }: Service): string[] {
  const [, mib] = /--max-old-space-size=(\d+)/.exec([command].flat().join(" ")) ?? [];
  const [, size = "0", unit = "m"] = /^(\d+)([mg])b?$/.exec(limit) ?? [];
  const limitMib = Number(size) * (unit === "g" ? 1_024 : 1);
  if (mib === undefined) return ["does not bound its heap: --max-old-space-size in its command"];
  if (Number(mib) + BESIDE_HEAP_MIB <= limitMib) return [];
  return [
    `bounds its heap at ${mib} MiB, less than ${BESIDE_HEAP_MIB} MiB below its mem_limit of ${limit}`,
  ];
}

function problemsOf(service: Service, variables: ReadonlySet<string | undefined>): string[] {
  const { image = "", build, environment = {}, ports = [], mem_limit: memory } = service;
  const unknown = Object.keys(environment).filter((name) => !variables.has(name));
  return [
    ...(build === undefined ? [] : unknown.map((name) => `sets ${name}: not in .env.example`)),
    // Docker opens a port to everybody, past the firewall of the machine.
    ...ports
      .filter((port) => !/^(127\.0\.0\.1|\$\{\w+:-127\.0\.0\.1\}):/.test(port))
      .map((port) => `opens ${port} to other machines: bind it to 127.0.0.1 by default`),
    ...(/^[^:]+:(?!latest$)[^:]+$/.test(image) ? [] : [`has an image without a version: ${image}`]),
    ...(memory === undefined ? ["has no mem_limit"] : []),
  ];
}

/** What takes requests, or works them off, must not be able to change the schema or API keys. */
function roleProblemsOf({ environment = {} }: Service, superusers: ReadonlySet<unknown>): string[] {
  const service = userOf(environment["DATABASE_URL"]);
  const migration = userOf(environment["MIGRATION_DATABASE_URL"]);
  const used = [service, migration].filter((user) => user !== undefined);
  return [
    ...used
      .filter((user) => superusers.has(user))
      .map((user) => `connects as ${user}, the superuser of the database`),
    ...("ROLES" in environment && migration !== undefined
      ? ["serves, and knows MIGRATION_DATABASE_URL: only what migrates may"]
      : []),
    ...(service !== undefined && service === migration ? ["migrates as the role that serves"] : []),
  ];
}

/** The user that a URL connects as. Its password is a variable of the shell, so that it need not parse. */
function userOf(url: unknown): string | undefined {
  return /^\w+:\/\/([^:@/]+)[:@]/.exec(String(url))?.[1];
}
