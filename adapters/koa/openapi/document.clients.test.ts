import { suite } from "uvu";
import * as assert from "uvu/assert";

import { EVENT_RULES_DEFAULT } from "../../../core/event/rules.ts";
import {
  type Api,
  batchOf,
  get,
  send,
  startApi,
  requestBytes,
  validEvent,
} from "../api.fixture.ts";
import type { Answer } from "../server/connection.fixture.ts";
import { type DocumentedOperation, makeContract } from "./contract.fixture.ts";
import { openApiDocument } from "./document.ts";

/** What generated clients rely on, apart from a valid document. */
const test = suite<{ api: Api }>("clients generated from the document");

test.before(async (context) => {
  context.api = await startApi();
});
test.after(({ api }) => api.close());

const document = openApiDocument(EVENT_RULES_DEFAULT);
const { operations } = makeContract(document);

const operationOf = (id: string): DocumentedOperation => {
  const found = operations.find(({ operationId }) => operationId === id);
  assert.ok(found, `there is no operation ${id}`);
  return found;
};

/** Parameter values by name. */
type Values = Readonly<Record<string, string | number | null | undefined>>;

/** Calls an operation with values for its parameters and the example of its body. */
const ask = (
  api: Api,
  { method, path, parameters, body }: DocumentedOperation,
  values: Values,
): Promise<Answer> => {
  const query = new URLSearchParams();
  let target = path;
  for (const { name, in: where } of parameters) {
    const value = values[name];
    if (value === undefined) continue;
    if (where === "path") target = target.replace(`{${name}}`, encodeURIComponent(String(value)));
    if (where === "query") query.set(name, String(value));
  }
  const line = `${method.toUpperCase()} ${target}${query.size === 0 ? "" : `?${query.toString()}`}`;
  return body === undefined
    ? send(api, requestBytes(line))
    : send(
        api,
        requestBytes(line, JSON.stringify(body.example), { "Content-Type": "application/json" }),
      );
};

const examplesOf = ({ parameters }: DocumentedOperation): Values =>
  Object.fromEntries(parameters.map(({ name, example }) => [name, example]));

/** Only these must exist to be found. */
const mayBeMissing = ({ path }: DocumentedOperation): boolean =>
  /^\/(?:jobs|dead-letters)\/\{/.test(path);

test("no schema is recursive, which client generators do not support", () => {
  const schemas: Readonly<Record<string, unknown>> = document.components.schemas;
  const refersTo = (name: string): ReadonlyArray<string> =>
    [...JSON.stringify(schemas[name]).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(
      ([, other = ""]) => other,
    );
  const walk = (name: string, on: ReadonlyArray<string>): void => {
    assert.not.ok(on.includes(name), [...on, name].join(" → "));
    for (const other of refersTo(name)) walk(other, [...on, name]);
  };
  for (const name of Object.keys(schemas)) walk(name, []);
});

test("no schema has a field of its own name, which breaks generated Python", () => {
  const snake = (name: string): string =>
    name.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
  for (const [name, { properties = {} }] of Object.entries(document.components.schemas)) {
    assert.not.ok(snake(name) in properties, name);
  }
});

test("all examples of an operation are valid together", async ({ api }) => {
  for (const operation of operations) {
    const examples = examplesOf(operation);
    const { status, body } = await ask(api, operation, examples);
    const isAnswered = status < 400 || (status === 404 && mayBeMissing(operation));
    assert.ok(isAnswered, `${operation.operationId} ${JSON.stringify(examples)}: ${body}`);
  }
});

test("every query parameter has an example, or names a parameter with one that excludes it", () => {
  for (const { operationId, parameters } of operations) {
    const inQuery = parameters.filter((parameter) => parameter.in === "query");
    const shown = inQuery.filter(({ example }) => example !== undefined);
    assert.ok(inQuery.length === 0 || shown.length > 0, operationId);
    for (const { name, description, example } of inQuery) {
      if (example !== undefined) continue;
      const excluded = shown.some((other) => description.includes(`\`${other.name}\``));
      assert.ok(excluded, `${operationId}: ${name} has no example and does not say why`);
    }
  }
});

/** Values that are valid by themselves. The cursor belongs to a list without range and type. */
const valuesOf = async (api: Api): Promise<Values> => {
  const events = [validEvent(), validEvent()];
  await send(
    api,
    requestBytes("POST /events", batchOf(...events), { "Content-Type": "application/json" }),
  );
  await api.drain();
  const page = JSON.parse((await get(api, "/accounts/acme/events?limit=1")).body) as Page;
  return {
    id: "acme",
    window: "last_24h",
    from: "2026-11-22T07:00:00Z",
    to: "2026-11-22T09:00:00Z",
    top: 3,
    interval: "hour",
    type: "login",
    limit: 7,
    cursor: page.next_cursor,
  };
};

interface Page {
  readonly events: ReadonlyArray<{ readonly event_id: string }>;
  readonly next_cursor: string | null;
}

test("parameters that require or exclude one another document it", async ({ api }) => {
  const values = await valuesOf(api);
  let documented = 0;
  for (const operation of operations) {
    const inQuery = operation.parameters.filter((parameter) => parameter.in === "query");
    const isTaken = async (...names: ReadonlyArray<string>): Promise<boolean> => {
      const chosen = Object.fromEntries(["id", ...names].map((name) => [name, values[name]]));
      return (await ask(api, operation, chosen)).status < 400;
    };
    const documents = (name: string, other: string): void => {
      const { description = "" } = inQuery.find((parameter) => parameter.name === name) ?? {};
      const text = `${operation.operationId}: ${name} says nothing of \`${other}\`: ${description}`;
      assert.ok(description.includes(`\`${other}\``), text);
      documented++;
    };
    const names = inQuery.map(({ name }) => name);
    /** What each requires. */
    const needs = new Map<string, string>();
    for (const name of names) {
      if (await isTaken(name)) continue;
      for (const other of names) if (await isTaken(name, other)) needs.set(name, other);
      const partner = needs.get(name);
      assert.ok(partner, `${operation.operationId}: nothing goes with ${name}`);
      documents(name, partner);
    }
    const withNeeds = (...asked: ReadonlyArray<string>): ReadonlyArray<string> => [
      ...new Set(asked.flatMap((name) => [name, needs.get(name) ?? name])),
    ];
    for (const name of names) {
      for (const other of names.filter((each) => each !== name)) {
        if (!(await isTaken(...withNeeds(name, other)))) documents(name, other);
      }
    }
  }
  // window with from and to, from with to, cursor with from, to and type, in both directions.
  assert.ok(documented >= 14, String(documented));
});

test("every link leads to an operation, with values of the request or the response", () => {
  let links = 0;
  for (const { operationId, parameters, responses } of operations) {
    for (const { links: all = {}, content = {} } of Object.values(responses)) {
      const example = content["application/json"]?.example;
      for (const [name, link] of Object.entries(all)) {
        links++;
        const target = operationOf(link.operationId);
        for (const [parameter, expression] of Object.entries(link.parameters)) {
          const where = `${operationId}, link ${name}, ${parameter}`;
          assert.ok(
            target.parameters.some((each) => each.name === parameter),
            where,
          );
          const value = valueOf(expression, example, (asked, place) =>
            parameters.some((each) => each.name === asked && each.in === place),
          );
          assert.ok(value, `${where}: nothing at ${expression}`);
        }
        const required = target.parameters.filter((each) => each.required).map((each) => each.name);
        for (const each of required) assert.ok(each in link.parameters, `${name} lacks ${each}`);
      }
    }
  }
  assert.ok(links >= 4, String(links));
});

/** The value of a runtime expression in an example, or whether the request has the parameter. */
const valueOf = (
  expression: string,
  example: unknown,
  isInRequest: (name: string, place: string) => boolean,
): unknown => {
  const [, place = "", name = ""] = /^\$request\.(path|query)\.(\w+)$/.exec(expression) ?? [];
  if (name !== "") return isInRequest(name, place);
  const [, pointer] = /^\$response\.body#(\/.*)$/.exec(expression) ?? [];
  assert.ok(pointer, `no runtime expression: ${expression}`);
  return at(example, pointer);
};

const at = (value: unknown, pointer: string): unknown =>
  pointer
    .split("/")
    .slice(1)
    .reduce<unknown>((inner, key) => (inner as Readonly<Record<string, unknown>>)?.[key], value);

/** The request of a link in a response. */
const follow = (
  api: Api,
  from: DocumentedOperation,
  answer: Answer,
  request: Values,
): Promise<Answer> => {
  const [link] = Object.values(from.responses[answer.status]?.links ?? {});
  assert.ok(link, `${from.operationId} ${answer.status} has no link`);
  const values = Object.entries(link.parameters).map(([name, expression]) => {
    const [, asked] = /^\$request\.(?:path|query)\.(\w+)$/.exec(expression) ?? [];
    if (asked !== undefined) return [name, request[asked]];
    return [name, at(JSON.parse(answer.body), expression.slice(expression.indexOf("#") + 1))];
  });
  return ask(api, operationOf(link.operationId), Object.fromEntries(values) as Values);
};

test("the link of a 202 leads to its job, and links of pages to every event of the list", async ({
  api,
}) => {
  const record = operationOf("recordEvents");
  const accepted = await ask(api, record, {});
  const { job_id } = JSON.parse((await follow(api, record, accepted, {})).body) as {
    readonly job_id: string;
  };
  assert.is(job_id, (JSON.parse(accepted.body) as { readonly jobId: string }).jobId);

  const sent = Array.from({ length: 7 }, () => validEvent({ account_id: "paged" }));
  await send(
    api,
    requestBytes("POST /events", batchOf(...sent), { "Content-Type": "application/json" }),
  );
  await api.drain();
  const list = operationOf("listEvents");
  const request = { id: "paged", limit: 3 };
  const found: string[] = [];
  for (let answer = await ask(api, list, request); ;) {
    assert.is(answer.status, 200, answer.body);
    const page = JSON.parse(answer.body) as Page;
    found.push(...page.events.map(({ event_id }) => event_id));
    if (page.next_cursor === null) break;
    answer = await follow(api, list, answer, request);
  }
  assert.equal(found.toSorted(), sent.map(({ event_id }) => event_id).toSorted());
});

test("links to an account and a dead letter lead to those in the response", async ({ api }) => {
  const sample = operationOf("sampleAccounts");
  const answer = await ask(api, sample, {});
  const { account_ids } = JSON.parse(answer.body) as { readonly account_ids: string[] };
  const summary = JSON.parse((await follow(api, sample, answer, {})).body) as {
    readonly account_id: string;
  };
  assert.is(summary.account_id, account_ids[0]);
});

test.run();
