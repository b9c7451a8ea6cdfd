import { Context, Effect, Option } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import type { Access } from "../../../core/access/access.ts";
import { ANYONE, type Principal } from "../../../core/access/principal.ts";
import { anEvent } from "../../../core/event/event.fixture.ts";
import { EVENT_RULES_DEFAULT } from "../../../core/event/rules.ts";
import { DeadLetters } from "../../../core/queue/dead_letters.ts";
import { Queue } from "../../../core/queue/queue.ts";
import { makeMemoryServices } from "../../../scripts/test/memory_services.ts";
import { type Api, problemIn, requestBytes, send, startApi } from "../api.fixture.ts";
import { makeContract } from "../openapi/contract.fixture.ts";
import { openApiDocument } from "../openapi/document.ts";
import type { Answer } from "../server/connection.fixture.ts";

interface Opened {
  readonly api: Api;
  readonly queue: Queue["Service"];
  /** Lets a job die, and returns its ID. */
  readonly bury: (eventId: string) => Promise<string>;
}

const test = suite<Opened>("/dead-letters");

const PRINCIPALS: Readonly<Record<string, Principal>> = {
  admin: ANYONE,
  reader: { ...ANYONE, scopes: new Set(["read", "write"]) },
  "one-admin": { ...ANYONE, accounts: { _tag: "One", accountId: "acme" } },
};

const access: Access["Service"] = {
  known: (key = "admin") => PRINCIPALS[key],
  remembers: () => false,
  authenticate: (key = "admin") => Effect.succeed(PRINCIPALS[key] ?? ANYONE),
};

test.before.each(async (context) => {
  const { services } = makeMemoryServices();
  const queue = Context.get(services, Queue);
  const run = Effect.runPromise;
  const bury = async (eventId: string): Promise<string> => {
    const event = anEvent({ eventId, metadata: '{"n":1}' });
    const id = await run(queue.enqueue({ events: [event], duplicates: 0, conflicts: 0 }));
    for (;;) {
      const jobs = await run(queue.fetch(1_000));
      if (jobs.length === 0) return id;
      const failed = jobs.map((job) => ({ _tag: "Failed", job, reason: "no good" }) as const);
      await run(queue.acknowledge(failed));
    }
  };
  const api = await startApi({ access, queue, deadLetters: Context.get(services, DeadLetters) });
  Object.assign(context, { api, queue, bury });
});
test.after.each(async ({ api }) => {
  assert.equal(api.defects, []);
  await api.close();
});

const { operations, holds } = makeContract(openApiDocument(EVENT_RULES_DEFAULT));

/** Sends a request, and checks the response against the document. */
const ask = async (api: Api, operationId: string, id = "", query = ""): Promise<Answer> => {
  const operation = operations.find((each) => each.operationId === operationId);
  assert.ok(operation);
  const target = operation.path.replace("{id}", id) + query;
  const answer = await send(api, requestBytes(`${operation.method.toUpperCase()} ${target}`));
  holds(operation, answer);
  return answer;
};

const listed = async (
  api: Api,
  query = "",
): Promise<[ids: ReadonlyArray<string>, more: boolean]> => {
  const { body } = await ask(api, "listDeadLetters", "", query);
  const { dead_letters, more } = JSON.parse(body) as {
    dead_letters: ReadonlyArray<{ id: string }>;
    more: boolean;
  };
  return [dead_letters.map(({ id }) => id), more];
};

test("dead letters are listed, with whether there are more", async ({ api, bury }) => {
  assert.equal(await listed(api), [[], false]);
  const ids = [await bury("1"), await bury("2")];
  assert.equal(await listed(api), [ids, false]);
  assert.equal(await listed(api, "?limit=2"), [ids, false]);
  assert.equal(await listed(api, "?limit=1"), [ids.slice(0, 1), true]);
  for (const query of ["?limit=0", "?limit=1001", "?x=1"]) {
    problemIn(await ask(api, "listDeadLetters", "", query), 400, "parameters-invalid");
  }
});

test("a dead letter has its events as they were sent", async ({ api, bury }) => {
  const id = await bury("1");
  const letter = JSON.parse((await ask(api, "findDeadLetter", id)).body) as {
    failure: string;
    jobs: unknown;
  };
  assert.is(letter.failure, "no good");
  const event = {
    event_id: "1",
    account_id: "acme",
    user_id: "ada",
    type: "login",
    timestamp: "2026-01-31T09:30:00.000Z",
    metadata: { n: 1 },
  };
  assert.equal(letter.jobs, [{ job_id: id, events: [event] }]);
});

test("a redriven dead letter is queued again, and a dropped one is gone", async ({
  api,
  queue,
  bury,
}) => {
  const [first, second] = [await bury("1"), await bury("2")];
  assert.is((await ask(api, "redriveDeadLetter", first)).status, 202);
  const job = Option.getOrThrow(await Effect.runPromise(queue.find(first)));
  assert.is(job.state, "queued");
  assert.equal(await listed(api), [[second], false]);
  assert.is((await ask(api, "dropDeadLetter", second)).status, 204);
  assert.equal(await listed(api), [[], false]);
  for (const operationId of ["findDeadLetter", "redriveDeadLetter", "dropDeadLetter"]) {
    for (const id of [second, "nonsense"]) {
      problemIn(await ask(api, operationId, id), 404, "dead-letter-unknown");
    }
  }
});

test("dead letters require the scope admin and all accounts", async ({ api, bury }) => {
  const id = await bury("1");
  for (const request of [
    "GET /dead-letters",
    `GET /dead-letters/${id}`,
    `POST /dead-letters/${id}/redrive`,
    `DELETE /dead-letters/${id}`,
  ]) {
    for (const [key, name] of [
      ["reader", "scope-missing"],
      ["one-admin", "account-forbidden"],
    ] as const) {
      const bytes = requestBytes(request, "", { Authorization: `Bearer ${key}` });
      problemIn(await send(api, bytes), 403, name);
    }
  }
  assert.equal(await listed(api), [[id], false]);
});

test.run();
