import { Validator } from "@seriousme/openapi-schema-validator";
import { Context } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { rulesWith } from "../../../core/event/decode.fixture.ts";
import { EVENT_RULES_DEFAULT } from "../../../core/event/rules.ts";
import { makeMemoryServices } from "../../../scripts/test/memory_services.ts";
import { makeApplication } from "../application.ts";
import { makeBodies } from "../request/bodies.ts";
import { type DocumentedOperation, makeContract } from "./contract.fixture.ts";
import { openApiDocument } from "./document.ts";

const test = suite("openApiDocument");

const document = openApiDocument(EVENT_RULES_DEFAULT);
const contract = makeContract(document);

const nameOf = ({ method, path }: Pick<DocumentedOperation, "method" | "path">): string =>
  `${method.toUpperCase()} ${path}`;

/** The routes of the application's router. */
const routes = (): ReadonlyArray<string> => {
  const koa = makeApplication({
    services: makeMemoryServices().services,
    context: Context.empty(),
    access: undefined,
    limits: { answerTimeoutMs: 1 },
    bodies: makeBodies({ bytesMax: 1, proxies: 0 }),
    rateLimit: { anonymousPerMinute: 1, limitLoopback: false, shared: undefined },
    proxies: 0,
    allowedHosts: new Set(),
    corsOrigins: new Set(),
    readiness: async () => ({ ready: true, checks: {} }),
    metrics: async () => "",
    onDefect: () => {},
    onResponse: () => {},
  });
  const routers = koa.middleware.flatMap((middleware) =>
    "router" in middleware ? [middleware.router as Routed] : [],
  );
  return routers.flatMap(({ stack }) =>
    stack.flatMap(({ path, methods }) =>
      methods
        // Every GET is also a HEAD.
        .filter((method) => method !== "HEAD")
        .map((method) => nameOf({ method, path: path.replaceAll(/:(\w+)/g, "{$1}") })),
    ),
  );
};

interface Routed {
  readonly stack: ReadonlyArray<{ readonly path: string; readonly methods: string[] }>;
}

test("it is valid OpenAPI 3.1", async () => {
  for (const types of [EVENT_RULES_DEFAULT.types, "*"] as const) {
    const any = openApiDocument(rulesWith({ types }));
    // A copy, because the validator replaces references.
    const sent = JSON.parse(JSON.stringify(any)) as Record<string, unknown>;
    const { valid, errors } = await new Validator().validate(sent);
    assert.ok(valid, JSON.stringify(errors));
  }
});

test("the validator of this test detects invalid OpenAPI", async () => {
  const { components: _, ...broken } = { ...document, paths: { "/x": { get: { responses: 1 } } } };
  assert.not.ok((await new Validator().validate(structuredClone(broken))).valid);
});

test("it has every route of the service, and no other", () => {
  const found = routes();
  assert.ok(found.length > 10, "this test does not find the router");
  assert.equal(found.toSorted(), contract.operations.map(nameOf).toSorted());
});

test("exactly the parameters in its path are documented", () => {
  for (const { path, parameters } of contract.operations) {
    const inPath = parameters.filter((parameter) => parameter.in === "path");
    assert.equal(
      inPath.map(({ name }) => `{${name}}`),
      path.match(/\{[^}]+\}/g) ?? [],
    );
  }
});

test("operation IDs are unique", () => {
  const names = contract.operations.map(({ operationId }) => operationId);
  assert.is(new Set(names).size, names.length);
});

test("every reference resolves", () => {
  const references = JSON.stringify(document).match(/"#\/[^"]+"/g) ?? [];
  assert.ok(references.length > 50);
  for (const reference of references) {
    const keys = (JSON.parse(reference) as string).slice(2).split("/");
    const found = keys.reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], document);
    assert.ok(found, reference);
  }
});

test("every component is referenced", () => {
  const text = JSON.stringify(document);
  for (const [kind, components] of Object.entries(document.components)) {
    if (kind === "securitySchemes") continue;
    for (const name of Object.keys(components)) {
      // Responses to unknown paths and methods, which belong to no operation.
      if (name === "route-unknown" || name === "method-not-allowed") continue;
      assert.ok(text.includes(`"#/components/${kind}/${name}"`), `${kind}/${name}`);
    }
  }
});

test("every example fits its schema", () => {
  let examples = 0;
  const check = (schema: object, value: unknown): void => {
    examples++;
    assert.is(contract.misfit(schema, value), undefined, JSON.stringify(value));
  };
  const problems: Record<string, { value?: unknown }> = document.components.examples;
  for (const { body, parameters, responses } of contract.operations) {
    if (body !== undefined) check(body.schema, body.example);
    for (const parameter of parameters) {
      if ("example" in parameter) check(parameter.schema, parameter.example);
    }
    for (const { content = {} } of Object.values(responses)) {
      for (const [type, media] of Object.entries(content)) {
        if (!type.endsWith("problem+json")) {
          check(media.schema, media.example);
          continue;
        }
        for (const { $ref } of Object.values(media.examples ?? {})) {
          check(media.schema, problems[$ref.slice($ref.lastIndexOf("/") + 1)]?.value);
        }
      }
    }
  }
  assert.ok(examples > 80, String(examples));
});

test("it allows the event types that the service accepts", () => {
  const typeUnder = (types: ReadonlySet<string> | "*") => {
    const { schemas } = openApiDocument(rulesWith({ types })).components;
    return schemas["Event"]?.properties?.["type"];
  };
  assert.equal(typeUnder(new Set(["order.placed"])), { type: "string", enum: ["order.placed"] });
  assert.equal(typeUnder("*"), { type: "string", pattern: "^[a-z][a-z0-9_.:-]{0,63}$" });
});

test("its server URL is relative, so that no Host header can change it", () => {
  assert.equal(
    document.servers.map(({ url }) => url),
    ["/"],
  );
});

test.run();
