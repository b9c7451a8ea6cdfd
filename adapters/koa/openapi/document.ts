import { readFileSync } from "node:fs";

import type { EventRules } from "../../../core/event/rules.ts";
import type { Requirement } from "../access/principal.ts";
import { API_ROUTES, PROCESS_ROUTES } from "../routes/all.ts";
import { type Example, exampleOf } from "../routes/example.ts";
import type { Route } from "../routes/route.ts";
import { eventSchemas } from "./event_schema.ts";
import {
  type FailureName,
  PROBLEM_SCHEMAS,
  problemExamples,
  problemResponses,
} from "./failures.ts";
import { queryParametersOf, schemasOf } from "./json_schema.ts";
import {
  EVERY_ANSWER_HEADERS,
  type Headers,
  type Operation,
  type OperationAnswer,
  RATE_LIMIT_HEADERS,
  SHARED_HEADERS,
  TAGS,
} from "./operation.ts";

/**
 * The OpenAPI document of the service, made from its routes and the event rules in force.
 *
 * @param now the time of the examples, in Unix milliseconds
 * @see https://spec.openapis.org/oas/v3.1.1
 */
export const openApiDocument = (rules: EventRules, now = Date.now()) => {
  const example = exampleOf(rules.types, now);
  const routes = [...API_ROUTES, ...PROCESS_ROUTES];
  return {
    openapi: "3.1.1",
    info: {
      title: "Tidemark",
      version: VERSION,
      summary: "Record batches of account activity; read exact summaries per account.",
      description: DESCRIPTION,
      license: { name: "MIT", identifier: "MIT" },
    },
    // Relative to the URL of the document, so that it does not depend on the Host header.
    servers: [{ url: "/", description: "The service that serves this document." }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths: pathsOf(routes, example),
    components: {
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer", description: "An API key: `tm_…`." },
        basic: {
          type: "http",
          scheme: "basic",
          description: "An API key as the user name. The password is ignored.",
        },
      },
      headers: SHARED_HEADERS,
      examples: problemExamples(),
      schemas: {
        ...eventSchemas(rules),
        ...schemasOf(
          Object.assign({}, ...routes.map(({ schemas }) => schemas), PROBLEM_SCHEMAS) as Schemas,
        ),
      },
    },
  };
};

type Schemas = Parameters<typeof schemasOf>[0];

export type OpenApiDocument = ReturnType<typeof openApiDocument>;

const { version: VERSION } = JSON.parse(
  readFileSync(new URL("../../../package.json", import.meta.url), "utf8"),
) as { readonly version: string };

const DESCRIPTION = [
  "Bodies are JSON in UTF-8. Errors are problem documents (RFC 9457) with a stable `type`. For invalid input, `errors` lists " +
    "each invalid event and field and how to fix it.",
  "As long as no API key exists, the service listens only on its own machine and accepts requests without a key. Once a key " +
    "exists, every request needs one, as a bearer token or as the user name of Basic authentication. A key has one or more of " +
    "the scopes `write`, `read` and `admin` (which includes the others), and may be restricted to some accounts.",
  "Requests over a limit or quota get 429. While the service is overloaded, starting or without its database, they get 503. " +
    "Both say in `Retry-After` how long to wait before retrying.",
  "`HEAD` is `GET` without the body. A known path answers other methods with 405 and lists its own in `Allow`; `OPTIONS` " +
    "gets 204 with the same list. An unknown path is 404.",
].join("\n\n");

/** Failures that are independent of the route. */
const ANYWHERE: ReadonlyArray<FailureName> = [
  "HttpMalformed",
  "RequestTruncated",
  "PathMalformed",
  "RequestTooSlow",
  "HeadersTooLarge",
  "Internal",
];

/** Refusals of the gate. */
const GATE: ReadonlyArray<FailureName> = [
  "Unauthenticated",
  "ScopeMissing",
  "HostForbidden",
  "ProxyForbidden",
  "RateLimited",
  "ApiKeysUnavailable",
  "DatabaseFault",
];

const accessFailures = (access: Requirement): ReadonlyArray<FailureName> => {
  if (access === "public") return [];
  if (access.accounts === "path") return [...GATE, "ParametersInvalid", "AccountForbidden"];
  return access.accounts === "all" ? [...GATE, "AllAccountsRequired"] : GATE;
};

type AnyRoute = Omit<Route<never>, "handler">;

/** The routes that exist while the process is starting. */
const FROM_THE_START: ReadonlySet<AnyRoute> = new Set(PROCESS_ROUTES);

const pathsOf = (
  routes: ReadonlyArray<AnyRoute>,
  example: Example,
): Readonly<Record<string, Readonly<Record<string, object>>>> => {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method]: shown(route, example) };
  }
  return paths;
};

const shown = (route: AnyRoute, example: Example): object => {
  const { access } = route;
  const operation = route.operation(example);
  const { operationId, tag, summary, description, body } = operation;
  const failures: ReadonlyArray<FailureName> = [
    ...ANYWHERE,
    ...accessFailures(access),
    ...(operation.query === undefined ? [] : (["ParametersInvalid"] as const)),
    ...operation.failures,
    ...(FROM_THE_START.has(route) ? [] : (["Starting"] as const)),
  ];
  const headers = {
    ...EVERY_ANSWER_HEADERS,
    ...(access === "public" ? {} : RATE_LIMIT_HEADERS),
  };
  return {
    operationId,
    tags: [tag],
    summary,
    description,
    security: securityOf(access),
    parameters: parametersOf(operation),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            description: body.description,
            content: { "application/json": { schema: body.schema, example: body.example } },
          },
        }),
    responses: {
      // The route's own answers override problems of the same status, such as the 503 of /readyz.
      ...problemResponses(failures, headers),
      ...answersOf(operation.answers, headers),
    },
  };
};

/** Alternatives: each lists one scheme with the scope that it needs. */
const securityOf = (access: Requirement): ReadonlyArray<object> =>
  access === "public"
    ? []
    : access.scopes.flatMap((scope) => [{ bearer: [scope] }, { basic: [scope] }]);

const parametersOf = ({ pathParameters = {}, query, headers = [] }: Operation) => [
  ...Object.entries(pathParameters).map(([name, parameter]) => ({
    name,
    in: "path",
    required: true,
    ...parameter,
  })),
  ...(query === undefined ? [] : queryParametersOf(query)),
  ...headers,
];

const answersOf = (answers: Operation["answers"], headers: Headers) =>
  Object.fromEntries(
    Object.entries(answers).map(([status, answer]) => [status, responseOf(answer, headers)]),
  );

const responseOf = (
  { description, headers, content, links }: OperationAnswer,
  shared: Headers,
) => ({
  description,
  headers: { ...headers, ...shared },
  ...(links === undefined ? {} : { links }),
  ...(content === undefined
    ? {}
    : {
        content: {
          [content.type ?? "application/json"]: {
            schema: content.schema,
            example: content.example,
          },
        },
      }),
});
