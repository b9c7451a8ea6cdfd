import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import * as assert from "uvu/assert";

import type { Answer } from "../server/connection.fixture.ts";
import type { OpenApiDocument } from "./document.ts";
import type { JsonSchema } from "./json_schema.ts";

/** The parts of an operation that tests read. */
export interface DocumentedOperation {
  readonly operationId: string;
  readonly method: string;
  readonly path: string;
  readonly public: boolean;
  readonly parameters: ReadonlyArray<DocumentedParameter>;
  readonly body: { readonly schema: JsonSchema; readonly example: unknown } | undefined;
  readonly responses: Readonly<Record<string, DocumentedResponse>>;
}

export interface DocumentedParameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required: boolean;
  readonly description: string;
  readonly schema: JsonSchema;
  readonly example?: string | number;
}

interface DocumentedResponse {
  readonly headers: Readonly<Record<string, DocumentedHeader & { readonly $ref?: string }>>;
  readonly content?: Readonly<Record<string, MediaType>>;
  readonly links?: Readonly<Record<string, DocumentedLink>>;
}

interface DocumentedLink {
  readonly operationId: string;
  readonly parameters: Readonly<Record<string, string>>;
}

interface DocumentedHeader {
  readonly required?: boolean;
  readonly schema: JsonSchema;
}

interface MediaType {
  readonly schema: JsonSchema;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly $ref: string }>>;
}

/** Checks responses against an OpenAPI document. */
export interface Contract {
  readonly operations: ReadonlyArray<DocumentedOperation>;
  /** The operations of a path as requests have it, by method. */
  readonly operationsAt: (path: string) => ReadonlyMap<string, DocumentedOperation>;
  /** Why a value does not fit a schema of the document; undefined if it does. */
  readonly misfit: (schema: JsonSchema, value: unknown) => string | undefined;
  /** Throws unless the document has the response for the operation, with its body and headers. */
  readonly holds: (operation: DocumentedOperation, answer: Answer, to?: "HEAD") => void;
  /** Throws unless the response is a problem document. */
  readonly holdsProblem: (answer: Answer, to?: "HEAD") => void;
}

export const makeContract = (document: OpenApiDocument): Contract => {
  const ajv = new Ajv2020({
    strictTypes: false,
    formats: {
      "date-time": true,
      "uri-reference": true,
      uuid: /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
    },
  });
  for (const [name, schema] of Object.entries(document.components.schemas)) {
    ajv.addSchema(closed(schema) as JsonSchema, name);
  }
  const compiled = new Map<JsonSchema, ValidateFunction>();
  const misfit = (schema: JsonSchema, value: unknown): string | undefined => {
    const validate = compiled.get(schema) ?? ajv.compile(closed(schema) as JsonSchema);
    compiled.set(schema, validate);
    return validate(value) ? undefined : ajv.errorsText(validate.errors);
  };

  const operations = operationsOf(document);
  const byPath = Map.groupBy(operations, ({ path }) => path);
  const patterns = Array.from(byPath, ([path, all]) => ({
    pattern: new RegExp(`^${path.replaceAll(".", "\\.").replaceAll(/\{[^}]+\}/g, "[^/]+")}$`),
    methods: new Map(all.map((operation) => [operation.method.toUpperCase(), operation])),
  }));

  const holdsHeaders = ({ headers }: DocumentedResponse, answer: Answer): void => {
    for (const [name, { $ref, ...own }] of Object.entries(headers)) {
      const shared: Readonly<Record<string, DocumentedHeader>> = document.components.headers;
      const header = $ref === undefined ? own : shared[$ref.slice($ref.lastIndexOf("/") + 1)];
      assert.ok(header, `${name} is not in the document: ${$ref}`);
      const text = answer.headers[name.toLowerCase()];
      if (text === undefined) assert.not.ok(header.required, `${name} is missing`);
      else {
        const value = header.schema["type"] === "integer" ? Number(text) : text;
        assert.is(misfit(header.schema, value), undefined, `${name}: ${text}`);
      }
    }
  };

  const bodyIn = (answer: Answer, type: string): unknown =>
    type.endsWith("json") ? JSON.parse(answer.body) : answer.body;

  const holdsBody = (response: DocumentedResponse, answer: Answer): void => {
    const type = answer.headers["content-type"]?.split(";")[0];
    const { content } = response;
    if (content === undefined) {
      assert.is(answer.body, "");
      return;
    }
    const media = type === undefined ? undefined : content[type];
    assert.ok(media && type, `${type} is none of ${Object.keys(content).join(", ")}`);
    const wrong = misfit(media.schema, bodyIn(answer, type));
    assert.is(wrong, undefined, `${wrong} in ${answer.body.slice(0, 2_000)}`);
  };

  const problem: JsonSchema = document.components.schemas["Problem"] ?? {};

  return {
    operations,
    misfit,
    operationsAt: (path) =>
      patterns.find(({ pattern }) => pattern.test(path))?.methods ?? new Map(),
    holds: (operation, answer, to) => {
      const response = operation.responses[answer.status];
      assert.ok(
        response,
        `${operation.operationId} answers ${answer.status}, which is not in the document: ${answer.body}`,
      );
      holdsHeaders(response, answer);
      if (to === "HEAD") assert.is(answer.body, "");
      else holdsBody(response, answer);
    },
    holdsProblem: (answer, to) => {
      assert.is(answer.headers["content-type"], "application/problem+json", String(answer.status));
      if (to === "HEAD") return;
      const body = JSON.parse(answer.body) as { readonly status: number };
      assert.is(misfit(problem, body), undefined, answer.body);
      assert.is(body.status, answer.status);
    },
  };
};

const operationsOf = ({ paths }: OpenApiDocument): ReadonlyArray<DocumentedOperation> =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): DocumentedOperation => {
      const { operationId, security, parameters, requestBody, responses } =
        operation as unknown as Documented;
      const body = requestBody?.content["application/json"];
      return {
        operationId,
        method,
        path,
        public: security.length === 0,
        parameters,
        body: body && { schema: body.schema, example: body.example },
        responses,
      };
    }),
  );

/** An operation in the document. */
interface Documented extends Pick<DocumentedOperation, "operationId" | "parameters" | "responses"> {
  readonly security: ReadonlyArray<object>;
  readonly requestBody?: { readonly content: Readonly<Record<string, MediaType>> };
}

/**
 * A schema that allows no unknown fields: the document lets bodies gain fields, but today's must be
 * in it. References become those of the validator.
 */
const closed = (schema: unknown): unknown => {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== "object" || schema === null) return schema;
  const { $ref, ...rest } = schema as JsonSchema;
  const inner = Object.fromEntries(
    Object.entries(rest).map(([key, value]) => [key, closed(value)]),
  );
  if (typeof $ref === "string") return { $ref: $ref.slice($ref.lastIndexOf("/") + 1), ...inner };
  return "properties" in inner && inner["type"] === "object"
    ? { additionalProperties: false, ...inner }
    : inner;
};
