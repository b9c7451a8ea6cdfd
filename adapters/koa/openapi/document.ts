import { readFileSync } from "node:fs";

import type { EventRules } from "../../../core/event/rules.ts";
import { accountOperations } from "./account_operations.ts";
import { BODIES } from "./bodies.ts";
import { deadLetterOperations } from "./dead_letter_operations.ts";
import { eventOperations } from "./event_operations.ts";
import { eventSchemas } from "./event_schema.ts";
import { exampleBodies } from "./examples.ts";
import { type FailureName, problemExamples, problemResponses } from "./failures.ts";
import {
  EVERY_ANSWER_HEADERS,
  type Headers,
  RATE_LIMIT_HEADERS,
  SHARED_HEADERS,
} from "./headers.ts";
import { queryParametersOf, schemasOf } from "./json_schema.ts";
import { type Operation, type OperationAnswer, TAGS } from "./operation.ts";
import { SERVICE_OPERATIONS } from "./service_operations.ts";

/**
 * What the service can be asked and what it answers, as an OpenAPI document: made from what reads and
 * makes the requests and answers, under the rules in force.
 *
 * @param now when the examples happen, in Unix milliseconds
 * @see https://spec.openapis.org/oas/v3.1.1
 */
export const openApiDocument = (rules: EventRules, now = Date.now()) => ({
  openapi: "3.1.1",
  info: {
    title: "Tidemark",
    version: VERSION,
    summary: "Batches of account activity in, exact summaries per account out.",
    description: DESCRIPTION,
    license: { name: "MIT", identifier: "MIT" },
  },
  // Relative to where the document came from, whatever the client called that.
  servers: [{ url: "/", description: "The service that this document is from." }],
  tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
  paths: pathsOf(operationsUnder(rules, now)),
  components: {
    securitySchemes: {
      bearer: { type: "http", scheme: "bearer", description: "An API key: `tm_…`." },
      basic: {
        type: "http",
        scheme: "basic",
        description: "An API key as the user name; the password does not matter.",
      },
    },
    headers: SHARED_HEADERS,
    examples: problemExamples(),
    schemas: { ...eventSchemas(rules), ...schemasOf(BODIES) },
  },
});

export type OpenApiDocument = ReturnType<typeof openApiDocument>;

const { version: VERSION } = JSON.parse(
  readFileSync(new URL("../../../package.json", import.meta.url), "utf8"),
) as { readonly version: string };

const DESCRIPTION = [
  "Bodies are JSON in UTF-8. Errors are problem documents (RFC 9457) with a stable `type`; for invalid input their `errors` say " +
    "which event, which field, and how to mend it.",
  "While there is no API key, everybody on the service's machine may ask, and it does not listen anywhere else. With the first " +
    "key every request needs one, as a bearer token or as the user name of Basic. A key has one or more of the scopes `write`, " +
    "`read` and `admin`, which includes the others, and may be for some accounts only.",
  "Past a limit or a quota the answer is 429, and 503 when the service is overloaded, is starting or cannot reach its database: " +
    "both say in `Retry-After` when to come again.",
  "`HEAD` is `GET` without the body. A path answers other methods with 405 and names its own in `Allow`, and so does `OPTIONS` " +
    "with 204; a path that is not here is 404.",
].join("\n\n");

/** What can go wrong before anybody knows what is asked for, and what must not. */
const ANYWHERE: ReadonlyArray<FailureName> = [
  "HttpMalformed",
  "RequestTruncated",
  "PathMalformed",
  "RequestTooSlow",
  "HeadersTooLarge",
  "Internal",
];

/** What the gate refuses with. */
const GATE: ReadonlyArray<FailureName> = [
  "Unauthenticated",
  "ScopeMissing",
  "HostForbidden",
  "ProxyForbidden",
  "RateLimited",
  "ApiKeysUnavailable",
  "DatabaseFault",
];

/** While it is starting a process has these alone. */
const FROM_THE_START: ReadonlySet<string> = new Set(["/healthz", "/readyz", "/metrics"]);

const operationsUnder = ({ types }: EventRules, now: number): ReadonlyArray<Operation> => {
  const examples = exampleBodies(types, now);
  return [
    ...eventOperations(examples),
    ...accountOperations(examples),
    ...deadLetterOperations(examples),
    ...SERVICE_OPERATIONS,
  ];
};

const pathsOf = (
  operations: ReadonlyArray<Operation>,
): Readonly<Record<string, Readonly<Record<string, object>>>> => {
  const paths: Record<string, Record<string, object>> = {};
  for (const operation of operations) {
    paths[operation.path] = { ...paths[operation.path], [operation.method]: shown(operation) };
  }
  return paths;
};

const shown = (operation: Operation): object => {
  const { path, operationId, tag, summary, description, scopes, body } = operation;
  const failures = [
    ...ANYWHERE,
    ...(scopes === "public" ? [] : GATE),
    ...operation.failures,
    ...(FROM_THE_START.has(path) ? [] : (["Starting"] as const)),
  ];
  const headers = {
    ...EVERY_ANSWER_HEADERS,
    ...(scopes === "public" ? {} : RATE_LIMIT_HEADERS),
  };
  return {
    operationId,
    tags: [tag],
    summary,
    description,
    security: securityOf(scopes),
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
      // What is no problem goes last: /readyz answers 503 in its own way.
      ...problemResponses(failures, headers),
      ...answersOf(operation.answers, headers),
    },
  };
};

/** Any of these is enough; what stands in a list is the scope that it needs. */
const securityOf = (scopes: Operation["scopes"]): ReadonlyArray<object> =>
  scopes === "public" ? [] : scopes.flatMap((scope) => [{ bearer: [scope] }, { basic: [scope] }]);

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
