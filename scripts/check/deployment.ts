/** What Dockerfile and docker-compose.yml repeat from elsewhere, and what they must not be careless about. */
import { parse } from "yaml";

import type { Problem } from "./problem.ts";
import type { Tree } from "./tree.ts";

const COMPOSE = "docker-compose.yml";

interface Service {
  readonly image?: string;
  readonly build?: unknown;
  readonly environment?: Readonly<Record<string, unknown>>;
  readonly ports?: ReadonlyArray<string>;
  readonly mem_limit?: string;
}

export function checkDeployment(tree: Tree): Problem[] {
  return [...checkNodeVersion(tree), ...checkCompose(tree)];
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
    [...problemsOf(service, variables), ...roleProblemsOf(service, superusers)].map((problem) => ({
      path: COMPOSE,
      message: `the service ${name} ${problem}`,
    })),
  );
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
