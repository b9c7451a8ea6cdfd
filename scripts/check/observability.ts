/** The configurations of Prometheus and Alertmanager match the compose file. */
import { posix } from "node:path";

import { parse } from "yaml";

import type { Problem, Tree } from "./tree.ts";

const COMPOSE = "docker-compose.yml";
const FOLDER = "docs/observability/";

interface Service {
  readonly build?: unknown;
  readonly command?: ReadonlyArray<string> | string;
  readonly environment?: Readonly<Record<string, unknown>>;
  readonly volumes?: ReadonlyArray<string>;
  readonly secrets?: ReadonlyArray<string | { readonly source: string; readonly target?: string }>;
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly secrets?: Readonly<Record<string, unknown>>;
}

interface Targets {
  readonly static_configs?: ReadonlyArray<{ readonly targets: ReadonlyArray<string> }>;
}

interface Prometheus {
  readonly rule_files?: ReadonlyArray<string>;
  readonly alerting?: { readonly alertmanagers?: ReadonlyArray<Targets> };
  readonly scrape_configs?: ReadonlyArray<
    Targets & {
      readonly authorization?: { readonly credentials_file?: string };
      readonly dns_sd_configs?: ReadonlyArray<{
        readonly names: ReadonlyArray<string>;
        readonly port?: number;
      }>;
    }
  >;
}

interface Route {
  readonly receiver?: string;
  readonly matchers?: ReadonlyArray<string>;
  readonly routes?: ReadonlyArray<Route>;
}

interface Alertmanager {
  readonly route: Route;
  readonly receivers?: ReadonlyArray<{ readonly name: string }>;
}

interface Rules {
  readonly groups: ReadonlyArray<{
    readonly rules: ReadonlyArray<{ readonly labels?: Readonly<Record<string, string>> }>;
  }>;
}

export function checkObservability(tree: Tree): Problem[] {
  const compose = read(tree, COMPOSE) as Compose | undefined;
  if (compose === undefined) return [];
  return [...checkPrometheus(tree, compose), ...checkAlertmanager(tree, compose)];
}

const read = (tree: Tree, path: string): unknown => {
  const text = tree.get(path);
  return text === undefined ? undefined : parse(text, { merge: true });
};

/** The mounted files of a service: path in the container → path in the repository. */
const filesIn = ({ volumes = [], secrets = [] }: Service): ReadonlyMap<string, string> =>
  new Map([
    ...volumes
      .filter((volume) => volume.startsWith("./"))
      .map((volume): [string, string] => {
        const [from = "", to = ""] = volume.split(":");
        return [to, from.slice(2)];
      }),
    ...secrets.map((secret): [string, string] => {
      const { source, target = source } = typeof secret === "string" ? { source: secret } : secret;
      return [posix.resolve("/run/secrets", target), ""];
    }),
  ]);

/** Finds the service that has a file, and the path of the file in its container. */
const findMounted = (
  { services }: Compose,
  file: string,
): { readonly name: string; readonly service: Service; readonly path: string } | undefined => {
  for (const [name, service] of Object.entries(services)) {
    for (const [path, from] of filesIn(service)) {
      if (from === file) return { name, service, path };
    }
  }
  return undefined;
};

const checkPrometheus = (tree: Tree, compose: Compose): Problem[] => {
  const file = `${FOLDER}prometheus.yml`;
  const config = read(tree, file) as Prometheus | undefined;
  const mounted = findMounted(compose, file);
  if (config === undefined || mounted === undefined) return [];
  const files = filesIn(mounted.service);
  const { rule_files: rules = [], scrape_configs: scrapes = [], alerting } = config;
  const keys = scrapes.flatMap(({ authorization }) => authorization?.credentials_file ?? []);
  const discovered = scrapes.flatMap((scrape) => scrape.dns_sd_configs ?? []);
  const alertmanagers = targetsOf(alerting?.alertmanagers ?? []);
  return [
    // Prometheus resolves them relative to the folder of the configuration.
    ...[...rules, ...keys]
      .map((path) => posix.resolve(posix.dirname(mounted.path), path))
      .filter((path) => !files.has(path))
      .map((path) => `refers to ${path}, which ${COMPOSE} does not mount into ${mounted.name}`),
    ...discovered.flatMap(({ names, port }) =>
      names.flatMap((name) => unknownTarget(compose, name, port)),
    ),
    ...rolesIn(compose)
      .filter((role) => !discovered.some(({ names }) => names.includes(role)))
      .map((role) => `does not scrape ${role}`),
    ...[...targetsOf(scrapes), ...alertmanagers].flatMap((target) => {
      const [name = ""] = target.split(":");
      return unknownTarget(compose, name);
    }),
    ...(alertmanagers.length === 0 ? ["has no alertmanager, so alerts go nowhere"] : []),
  ].map((message) => ({ path: file, message }));
};

const targetsOf = (configs: ReadonlyArray<Targets>): ReadonlyArray<string> =>
  configs.flatMap(({ static_configs: all = [] }) => all.flatMap(({ targets }) => targets));

/** The services that run Tidemark. */
const rolesIn = ({ services }: Compose): ReadonlyArray<string> =>
  Object.entries(services).flatMap(([name, { build, environment = {} }]) =>
    build !== undefined && "ROLES" in environment ? [name] : [],
  );

const unknownTarget = ({ services }: Compose, name: string, port?: number): string[] => {
  const service = services[name];
  if (service === undefined) return [`refers to ${name}, which is not a service of ${COMPOSE}`];
  const listens = service.environment?.["PORT"];
  return port === undefined || String(listens) === String(port)
    ? []
    : [`refers to ${name} on port ${port}, but it listens on ${String(listens)}`];
};

/** Every severity of an alert has a receiver. */
const checkAlertmanager = (tree: Tree, compose: Compose): Problem[] => {
  const file = `${FOLDER}alertmanager.yml`;
  const config = read(tree, file) as Alertmanager | undefined;
  if (config === undefined) return [];
  const { route, receivers = [] } = config;
  const routes = [route, ...(route.routes ?? [])];
  const names = new Set(receivers.map(({ name }) => name));
  const alerts = read(tree, `${FOLDER}alerts.yml`) as Rules | undefined;
  const rules = alerts?.groups.flatMap((group) => group.rules) ?? [];
  const severities = new Set(rules.flatMap(({ labels }) => labels?.["severity"] ?? []));
  return [
    ...routes
      .filter(({ receiver }) => receiver !== undefined && !names.has(receiver))
      .map(({ receiver }) => `routes to the unknown receiver ${receiver}`),
    ...[...severities]
      .filter((severity) => !routes.some((each) => isFor(each, severity)))
      .map((severity) => `has no route for alerts with the severity ${severity}`),
    ...(findMounted(compose, file) === undefined
      ? [`is not mounted into any service of ${COMPOSE}`]
      : []),
  ].map((message) => ({ path: file, message }));
};

const isFor = ({ matchers = [], receiver }: Route, severity: string): boolean =>
  receiver !== undefined && matchers.some((matcher) => matcher === `severity="${severity}"`);
