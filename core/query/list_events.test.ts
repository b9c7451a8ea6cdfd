import { Effect, Result } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { AccountEvents, type AccountEventsPage, type PageRequest } from "../log/account_events.ts";
import { LogUnavailable } from "../log/event_log.ts";
import { simulate } from "../simulate.fixture.ts";
import {
  type EventsCursor,
  type EventsFilter,
  listEvents,
  PAGE_BYTES_MAX,
  PAGE_SCANNED_MAX,
} from "./list_events.ts";

const test = suite("listEvents");

const PAGE: AccountEventsPage = {
  events: [],
  next: { occurredAt: 7, position: 3 },
  upTo: 12,
  asOf: 1_000,
};

/** Runs the query, and returns the result and what the port was asked. */
const asked = async (
  at: EventsFilter | EventsCursor,
  outcome: Effect.Effect<AccountEventsPage, LogUnavailable> = Effect.succeed(PAGE),
) => {
  const questions: [accountId: string, request: PageRequest][] = [];
  const port: AccountEvents["Service"] = {
    page: (...question) => {
      questions.push(question);
      return outcome;
    },
  };
  const query = Effect.provideService(listEvents("acme", at, 50), AccountEvents, port);
  return { questions, result: await simulate(Effect.result(query)) };
};

const BOUNDS = { eventsMax: 50, bytesMax: PAGE_BYTES_MAX, scannedMax: PAGE_SCANNED_MAX };

test("a new list has only the given limits", async () => {
  const open = await asked({ from: null, to: null, type: null });
  assert.equal(open.questions, [
    [
      "acme",
      {
        before: { occurredAt: Number.POSITIVE_INFINITY, position: 0 },
        from: Number.NEGATIVE_INFINITY,
        type: null,
        upTo: null,
        ...BOUNDS,
      },
    ],
  ]);
  const closed = await asked({ from: 5, to: 9, type: "login" });
  assert.equal(closed.questions[0]?.[1], {
    before: { occurredAt: 9, position: 0 },
    from: 5,
    type: "login",
    upTo: null,
    ...BOUNDS,
  });
});

test("a continued list shows the moment of its first page", async () => {
  const filter: EventsFilter = { from: 5, to: null, type: "login" };
  const first = Result.getOrThrow((await asked(filter)).result);
  assert.equal(first.next, { before: PAGE.next, upTo: 12, asOf: 1_000, filter });
  assert.ok(first.next);

  const later = { ...PAGE, next: { occurredAt: 6, position: 1 }, upTo: 12, asOf: 9_000 };
  const { questions, result } = await asked(first.next, Effect.succeed(later));
  assert.equal(questions[0]?.[1], {
    before: PAGE.next,
    from: 5,
    type: "login",
    upTo: 12,
    ...BOUNDS,
  });
  const second = Result.getOrThrow(result);
  assert.is(second.asOf, 1_000);
  assert.equal(second.next, { before: later.next, upTo: 12, asOf: 1_000, filter });
});

test("a list ends with its last page", async () => {
  const last = Effect.succeed({ ...PAGE, next: null });
  const { result } = await asked({ from: null, to: null, type: null }, last);
  assert.is(Result.getOrThrow(result).next, null);
});

test("an unavailable log is reported as such", async () => {
  const error = new LogUnavailable({ cause: "unavailable" });
  const { result } = await asked({ from: null, to: null, type: null }, Effect.fail(error));
  assert.is(Result.isFailure(result) ? result.failure : undefined, error);
});

test.run();
