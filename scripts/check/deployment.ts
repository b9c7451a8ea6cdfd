/** Rules about Dockerfile and docker-compose.yml: consistency with other files, and safety. */
import { parse } from "yaml";

import { checkObservability } from "./observability.ts";
import type { Problem, Tree } from "./tree.ts";

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

/** The image has the Node of the tests. */
function checkNodeVersion(tree: Tree): Problem[] {
  const dockerfile = tree.get("Dockerfile");
  if (dockerfile === undefined) return [];
  const { optionalDependencies = {} } = JSON.parse(tree.get("package.json") ?? "{}") as {
    optionalDependencies?: Record<string, string>;
  };
  const version = /^ARG NODE_VERSION=(\S+)$/m.exec(dockerfile)?.[1];
  // One package per platform, all with the same version.
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
  // The superusers that the image of Postgres creates.
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

/** Settings that no process of the compose file needs. */
const NOT_IN_COMPOSE: ReadonlySet<unknown> = new Set([
  // The image has no embedded database.
  "DATA_DIR",
  // Only for a service without keys; AUTH is `required` there.
  "ALLOWED_HOSTS",
  // Only the migration may know it.
  "MIGRATION_DATABASE_URL",
]);

/** A setting in .env must reach the process; otherwise it is silently ignored. */
function forgottenIn(
  { environment = {} }: Service,
  variables: ReadonlySet<string | undefined>,
): string[] {
  // The migration needs few of them.
  if (!("ROLES" in environment)) return [];
  return [...variables]
    .filter((name) => name !== undefined && !(name in environment) && !NOT_IN_COMPOSE.has(name))
    .map((name) => `does not pass ${name}, which is in .env.example`);
}

/** The memory of a process beside its old generation: young generation, buffers, code, Node. */
const BESIDE_HEAP_MIB = 128;

/** If the heap can exceed the memory of the container, the process is killed without a message. */
function heapProblemsOf({ command, mem_limit: limit = "" }: Service): string[] {
  const [, mib] = /--max-old-space-size=(\d+)/.exec([command].flat().join(" ")) ?? [];
  const [, size = "0", unit = "m"] = /^(\d+)([mg])b?$/.exec(limit) ?? [];
  const limitMib = Number(size) * (unit === "g" ? 1_024 : 1);
  if (mib === undefined)
    return ["does not limit its heap: set --max-old-space-size in its command"];
  if (Number(mib) + BESIDE_HEAP_MIB <= limitMib) return [];
  return [
    `limits its heap to ${mib} MiB, less than ${BESIDE_HEAP_MIB} MiB below its mem_limit of ${limit}`,
  ];
}

function problemsOf(service: Service, variables: ReadonlySet<string | undefined>): string[] {
  const { image = "", build, environment = {}, ports = [], mem_limit: memory } = service;
  const unknown = Object.keys(environment).filter((name) => !variables.has(name));
  return [
    ...(build === undefined
      ? []
      : unknown.map((name) => `sets ${name}, which is not in .env.example`)),
    // Docker opens a port to everyone, and bypasses the firewall of the machine.
    ...ports
      .filter((port) => !/^(127\.0\.0\.1|\$\{\w+:-127\.0\.0\.1\}):/.test(port))
      .map((port) => `opens ${port} to other machines: bind it to 127.0.0.1 by default`),
    ...(/^[^:]+:(?!latest$)[^:]+$/.test(image) ? [] : [`has an image without a version: ${image}`]),
    ...(memory === undefined ? ["has no mem_limit"] : []),
  ];
}

/** A process that serves or works must not be able to change the schema or API keys. */
function roleProblemsOf({ environment = {} }: Service, superusers: ReadonlySet<unknown>): string[] {
  const service = userOf(environment["DATABASE_URL"]);
  const migration = userOf(environment["MIGRATION_DATABASE_URL"]);
  const used = [service, migration].filter((user) => user !== undefined);
  return [
    ...used
      .filter((user) => superusers.has(user))
      .map((user) => `connects as ${user}, the superuser of the database`),
    ...("ROLES" in environment && migration !== undefined
      ? ["has a role and knows MIGRATION_DATABASE_URL: only the migration may know it"]
      : []),
    ...(service !== undefined && service === migration
      ? ["migrates with the database role of the service"]
      : []),
  ];
}

/** The user in a URL, which may not parse: its password is a variable of the shell. */
function userOf(url: unknown): string | undefined {
  return /^\w+:\/\/([^:@/]+)[:@]/.exec(String(url))?.[1];
}
