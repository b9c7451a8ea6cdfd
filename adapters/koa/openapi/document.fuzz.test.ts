import { Effect } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { type Access, Unauthenticated } from "../../../core/access/access.ts";
import { ANYONE, type Principal, type Scope } from "../../../core/access/principal.ts";
import { EVENT_RULES_DEFAULT } from "../../../core/event/rules.ts";
import { type Api, post, startApi } from "../api.fixture.ts";
import { CANARY, canaryEvents, makeCanaryCheck } from "./canary.fixture.ts";
import { makeContract } from "./contract.fixture.ts";
import { openApiDocument } from "./document.ts";
import { fuzz } from "./fuzz.fixture.ts";

const test = suite<{ api: Api }>("arbitrary requests");

const principal = (scope: Scope, accountId?: string): Principal => ({
  ...ANYONE,
  keyId: scope,
  scopes: new Set([scope]),
  accounts: accountId === undefined ? { _tag: "All" } : { _tag: "One", accountId },
});

const KEYS: Readonly<Record<string, Principal>> = {
  write: principal("write"),
  read: principal("read"),
  admin: principal("admin"),
  "one-write": principal("write", "fuzzed"),
  "one-read": principal("read", "fuzzed"),
};

/** Requests without a key may do anything; others what their key allows. */
const access: Access["Service"] = {
  known: (key) => (key === undefined ? ANYONE : undefined),
  remembers: () => false,
  authenticate: (key) => {
    const found = key === undefined ? ANYONE : KEYS[key];
    return found === undefined
      ? Effect.fail(new Unauthenticated({ credential: "invalid" }))
      : Effect.succeed(found);
  },
};

test.before(async (context) => {
  context.api = await startApi({
    access,
    // Out of reach, but every response has the RateLimit headers.
    rateLimit: { limitLoopback: true, anonymousPerMinute: 1_000_000_000 },
  });
});
test.after(async ({ api }) => {
  assert.is(Reflect.get({}, "polluted"), undefined);
  await api.close();
});

const RUNS = 20_000;

/** Responses that so many requests must yield; otherwise the fuzz would prove nothing. */
const REACHED = [
  "recordEvents 202",
  "recordEvents 400",
  "recordEvents 401",
  "recordEvents 403",
  "recordEvents 413",
  "recordEvents 415",
  "recordEvents 431",
  "findJob 200",
  "findJob 404",
  "findJob 401",
  "summariseAccount 200",
  "summariseAccount 400",
  "summariseAccount 403",
  "accountTimeseries 200",
  "accountTimeseries 400",
  "listEvents 200",
  "listEvents 400",
  "listDeadLetters 200",
  "listDeadLetters 403",
  "findDeadLetter 404",
  "redriveDeadLetter 404",
  "dropDeadLetter 404",
  "sampleAccounts 200",
  "sampleAccounts 400",
  "health 200",
  "readiness 200",
  "metrics 200",
  "metrics 403",
  "openapi 200",
  "openapi 304",
  "docs 200",
  "docs 304",
  "other method 405",
  "other method 204",
  "other path 404",
  "other path 400",
];

test(`${RUNS} requests, valid and damaged, are answered as documented, and leave an account that none of them names unchanged`, async ({
  api,
}) => {
  const now = Date.now();
  const document = openApiDocument(EVENT_RULES_DEFAULT);
  const accepted = await post(api, JSON.stringify({ events: canaryEvents(now) }));
  assert.is(accepted.status, 202);
  const isCanaryWell = makeCanaryCheck(api.url, now);
  const outcomes = await fuzz({
    url: api.url,
    contract: makeContract(document),
    schemas: document.components.schemas,
    keys: [...Object.keys(KEYS), "bad"],
    canary: CANARY,
    runs: RUNS,
    isWell: async () => {
      assert.equal(api.defects, []);
      await api.drain();
      await isCanaryWell();
    },
  });
  const missed = REACHED.filter((outcome) => !outcomes.has(outcome));
  assert.equal(missed, [], JSON.stringify(Object.fromEntries(outcomes)));
});

test.run();
