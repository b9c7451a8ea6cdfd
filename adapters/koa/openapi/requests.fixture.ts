import * as fc from "fast-check";

import { fitting } from "./arbitrary.fixture.ts";
import type { Contract, DocumentedOperation, DocumentedParameter } from "./contract.fixture.ts";
import { damage } from "./damages.fixture.ts";
import type { JsonSchema } from "./json_schema.ts";
import { ENCODINGS, escaped, type FuzzRequest } from "./request.fixture.ts";

export interface RequestSpace {
  readonly contract: Contract;
  readonly schemas: Readonly<Record<string, JsonSchema>>;
  /** Unix milliseconds. */
  readonly now: number;
  /** The key of valid requests, if one is required. */
  readonly key?: string;
  /** Other keys to send, valid and invalid ones. */
  readonly keys: ReadonlyArray<string>;
  /** An account that is read and never written to. */
  readonly canary: string;
}

/** Accounts that a careless comparison takes for the canary. */
const neighboursOf = (canary: string): ReadonlyArray<string> => [
  canary.toUpperCase(),
  canary.normalize("NFD"),
  `${canary} `,
  ` ${canary}`,
  `${canary}\u200b`,
  `${canary}0`,
  canary.slice(0, -1),
  encodeURIComponent(canary),
  `${canary}/summary`,
];

/** Requests of every kind: two in five as documented, the others damaged. */
export const requests = (space: RequestSpace): fc.Arbitrary<FuzzRequest> => {
  const weights: Readonly<Record<string, number>> = { recordEvents: 12, openapi: 1, docs: 1 };
  const valid = fc.oneof(
    ...space.contract.operations.map((operation) => ({
      weight: weights[operation.operationId] ?? 4,
      arbitrary: validRequest(operation, space),
    })),
  );
  const damaged = fc
    .tuple(valid, fc.array(damage(space), { minLength: 1, maxLength: 3 }))
    .map(([request, damages]) => ({
      ...damages.reduce((now, apply) => apply(now), request),
      valid: false,
    }));
  return fc.oneof({ weight: 2, arbitrary: valid }, { weight: 3, arbitrary: damaged });
};

const validRequest = (
  operation: DocumentedOperation,
  space: RequestSpace,
): fc.Arbitrary<FuzzRequest> => {
  const inPath = operation.parameters.filter((parameter) => parameter.in === "path");
  const path = fc
    .tuple(...inPath.map((parameter) => pathValue(parameter, space)))
    .map((values) =>
      values.reduce(
        (template, value, i) => template.replace(`{${inPath[i]?.name}}`, () => escaped(value)),
        operation.path,
      ),
    );
  return fc
    .tuple(
      path,
      query(operation, space),
      body(operation, space),
      fc.constantFrom(...ENCODINGS),
      fc.constantFrom(...conditions(operation)),
    )
    .map(([at, parameters, content, [encoding, encode], condition]) => ({
      valid: true,
      method: operation.method.toUpperCase(),
      target: at + (parameters === "" ? "" : `?${parameters}`),
      headers: [
        ...condition,
        ...keyHeader(operation, space),
        ...(content === undefined ? [] : contentHeaders(encoding)),
      ],
      body: content === undefined ? Buffer.alloc(0) : encode(Buffer.from(content)),
    }));
};

type Headers = FuzzRequest["headers"];

const keyHeader = (operation: DocumentedOperation, { key }: RequestSpace): Headers =>
  key === undefined || operation.public ? [] : [["Authorization", `Bearer ${key}`]];

const contentHeaders = (encoding: string): Headers => [
  ["Content-Type", "application/json"],
  ...(encoding === "" ? [] : [["Content-Encoding", encoding] as const]),
];

/** Conditional headers: none, or one that matches everything. */
const conditions = ({ parameters }: DocumentedOperation): ReadonlyArray<Headers> =>
  parameters.some(({ name }) => name === "If-None-Match") ? [[], [["If-None-Match", "*"]]] : [[]];

const pathValue = (
  { schema }: DocumentedParameter,
  { schemas, now, canary }: RequestSpace,
): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 4, arbitrary: fitting(schema, schemas, now).map(String) },
    { weight: 1, arbitrary: fc.constantFrom(canary, ...neighboursOf(canary)) },
  );

/** Queries that follow the descriptions of the parameters, which say what goes together. */
const query = (
  { parameters }: DocumentedOperation,
  { schemas, now }: RequestSpace,
): fc.Arbitrary<string> => {
  const named = parameters.filter((parameter) => parameter.in === "query");
  const plain = named.filter(({ name }) => !["from", "to", "cursor"].includes(name));
  const values = fc.record(
    Object.fromEntries(
      plain.map(({ name, schema }) => [name, fitting(schema, schemas, now).map(String)]),
    ),
    { requiredKeys: [] },
  );
  const range = fc
    .tuple(
      fc.integer({ min: now - 300 * 86_400_000, max: now }),
      fc.integer({ min: 1, max: 40 * 86_400_000 }),
    )
    .map(([from, ms]) => ({ from, to: from + ms }));
  const hasRange = named.some(({ name }) => name === "from");
  return fc.tuple(values, fc.option(range)).map(([given, between]) => {
    const all = new URLSearchParams(given as Readonly<Record<string, string>>);
    if (hasRange && between !== null) {
      all.delete("window");
      all.set("from", new Date(between.from).toISOString());
      all.set("to", new Date(between.to).toISOString());
    }
    return all.toString();
  });
};

const body = (
  operation: DocumentedOperation,
  { schemas, now, canary }: RequestSpace,
): fc.Arbitrary<string | undefined> => {
  if (operation.body === undefined) return fc.constant(undefined);
  const neighbour = fc.option(fc.constantFrom(...neighboursOf(canary)), { freq: 4 });
  return fc.tuple(fitting(operation.body.schema, schemas, now), neighbour).map(([batch, account]) =>
    JSON.stringify(batch, (key, value: unknown) => {
      if (account === null) return value;
      // The IDs of the canary's events identify other events in another account.
      return key === "account_id" ? account : key === "event_id" ? "canary-1" : value;
    }),
  );
};
