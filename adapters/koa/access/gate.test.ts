import { Effect, Option } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { type Access, Unauthenticated } from "../../../core/access/access.ts";
import {
  type AccountBinding,
  ANYONE,
  type Principal,
  type Scope,
} from "../../../core/access/principal.ts";
import { NO_QUOTAS, QuotaExceeded } from "../../../core/access/quotas.ts";
import {
  type Api,
  batchOf,
  get,
  post,
  problemIn,
  requestBytes,
  send,
  startApi,
  validEvent,
} from "../api.fixture.ts";

const JOB = "01a20253-aa0c-79c1-b28a-b136a2df5001";
const OTHERS_JOB = "01a20253-aa0c-79c1-b28a-b136a2df5002";

/** Prefix of keys that are known, and so pass synchronously. */
const KNOWN = "~";

/** The principal that a key spells out: `scope,scope@binding`. */
const spelt = (key: string): Principal | undefined => {
  const [scopes = "", accounts = ""] = key.replace(KNOWN, "").split("@");
  if (!/^(?:(?:write|read|admin),?)+$/.test(scopes)) return undefined;
  const binding: AccountBinding =
    accounts === ""
      ? { _tag: "All" }
      : accounts.endsWith("*")
        ? { _tag: "Prefix", prefix: accounts.slice(0, -1) }
        : { _tag: "One", accountId: accounts };
  return {
    ...ANYONE,
    keyId: key,
    scopes: new Set(scopes.split(",") as Scope[]),
    accounts: binding,
  };
};

const access: Access["Service"] = {
  known: (key) => (key?.startsWith(KNOWN) === true ? spelt(key) : undefined),
  remembers: () => false,
  authenticate: (key) => {
    if (key === undefined) return Effect.fail(new Unauthenticated({ credential: "missing" }));
    const principal = spelt(key);
    return principal === undefined
      ? Effect.fail(new Unauthenticated({ credential: "invalid" }))
      : Effect.succeed(principal);
  },
};

const test = suite<{ api: Api }>("the gate");

test.before(async (context) => {
  const job = (id: string, accountId: string) => ({
    jobId: id,
    accountIds: [accountId],
    state: "completed" as const,
    queued: 1,
    appended: 1,
    duplicates: 0,
    conflicts: 0,
    retries: 0,
    queuedAt: 0,
    endedAt: 1,
    failure: null,
  });
  context.api = await startApi({
    access,
    queue: {
      find: (id) =>
        Effect.succeed(
          id === JOB
            ? Option.some(job(id, "acme"))
            : id === OTHERS_JOB
              ? Option.some(job(id, "other"))
              : Option.none(),
        ),
    },
  });
});
test.after(async ({ api }) => {
  assert.equal(api.defects, []);
  await api.close();
});

const headersOf = (key: string | undefined) =>
  key === undefined ? {} : { Authorization: `Bearer ${key}` };

const ask = (api: Api, route: string, key: string | undefined, account: string) => {
  if (route === "POST /events") {
    return post(api, batchOf(validEvent({ account_id: account })), headersOf(key));
  }
  const line = route
    .replace("/jobs/:id", `/jobs/${account === "acme" ? JOB : OTHERS_JOB}`)
    .replace(":id", account);
  return send(api, requestBytes(line, "", headersOf(key)));
};

interface Rights {
  readonly scopes: ReadonlyArray<Scope>;
  /** The status with the right scope: for an account of the key, and for another one. */
  readonly own: number;
  readonly other: number;
  /** The status for a restricted key, if that is not enough. */
  readonly bound?: number;
}

/** Every route of the router with its access rules. A missing route fails a test. */
const RIGHTS: Readonly<Record<string, Rights | "public">> = {
  "POST /events": { scopes: ["write", "admin"], own: 202, other: 403 },
  "GET /jobs/:id": { scopes: ["write", "read", "admin"], own: 200, other: 404 },
  "GET /accounts/:id/summary": { scopes: ["read", "admin"], own: 200, other: 403 },
  "GET /accounts/:id/timeseries": { scopes: ["read", "admin"], own: 200, other: 403 },
  "GET /accounts/:id/events": { scopes: ["read", "admin"], own: 200, other: 403 },
  // These name only accounts of the key.
  "GET /accounts/sample": { scopes: ["read", "admin"], own: 200, other: 200 },
  "GET /metrics": { scopes: ["admin"], own: 200, other: 403, bound: 403 },
  // Of any account.
  "GET /dead-letters": { scopes: ["admin"], own: 200, other: 403, bound: 403 },
  "GET /dead-letters/:id": { scopes: ["admin"], own: 404, other: 403, bound: 403 },
  "POST /dead-letters/:id/redrive": { scopes: ["admin"], own: 404, other: 403, bound: 403 },
  "DELETE /dead-letters/:id": { scopes: ["admin"], own: 404, other: 403, bound: 403 },
  "GET /openapi.json": "public",
  "GET /docs": "public",
  "GET /healthz": "public",
  "GET /readyz": "public",
};

test("the table has exactly the routes of the router", ({ api }) => {
  const known = api.routes.filter((route) => !route.startsWith("HEAD "));
  assert.equal(known.toSorted(), Object.keys(RIGHTS).toSorted());
});

for (const [route, rights] of Object.entries(RIGHTS)) {
  if (rights === "public") {
    test(`${route} is public`, async ({ api }) => {
      for (const key of [undefined, "nonsense", "write@acme"]) {
        assert.is((await ask(api, route, key, "acme")).status, 200);
      }
    });
    continue;
  }
  const { scopes, own, other, bound = own } = rights;
  for (const scope of ["write", "read", "admin"] as const) {
    for (const [binding, here, elsewhere] of [
      ["@acme", bound, other],
      ["@ac*", bound, other],
      ["", own, own],
    ] as const) {
      test(`${route} with ${scope}${binding}`, async ({ api }) => {
        const allowed = scopes.includes(scope);
        // By both ways through the gate, and twice: the second time a summary comes from the cache.
        for (const key of [`${scope}${binding}`, `${KNOWN}${scope}${binding}`]) {
          for (let time = 0; time < 2; time++) {
            const mine = await ask(api, route, key, "acme");
            assert.is(mine.status, allowed ? here : 403, mine.body);
            const theirs = await ask(api, route, key, "other");
            assert.is(theirs.status, allowed ? elsewhere : 403, theirs.body);
            if (theirs.status === 403) {
              problemIn(theirs, 403, allowed ? "account-forbidden" : "scope-missing");
            }
          }
        }
      });
    }
  }

  test(`${route} without a key, or with an invalid one`, async ({ api }) => {
    // A permitted request first, so that the summary is cached.
    await ask(api, route, "admin", "acme");
    for (const key of [undefined, "nonsense", `${KNOWN}nonsense`]) {
      const answer = await ask(api, route, key, "acme");
      problemIn(answer, 401, "unauthenticated");
      assert.match(String(answer.headers["www-authenticate"]), /^Bearer /);
    }
  });
}

test("HEAD requires what GET does, and other methods require a key", async ({ api }) => {
  const statusOf = async (method: string, key?: string) =>
    (await send(api, requestBytes(`${method} /accounts/acme/summary`, "", headersOf(key)))).status;
  assert.is(await statusOf("HEAD", "read@acme"), 200);
  assert.is(await statusOf("HEAD", "read@other"), 403);
  assert.is(await statusOf("HEAD", "write@acme"), 403);
  for (const method of ["HEAD", "OPTIONS", "DELETE", "PUT", "TRACE"]) {
    assert.is(await statusOf(method), 401, method);
  }
});

test("/docs/ is public, too", async ({ api }) => {
  assert.is((await get(api, "/docs/")).status, 308);
});

test("an unknown path is 401 without a key", async ({ api }) => {
  for (const path of ["/nothing", "/healthz/", "//healthz", "/healthz/../metrics", "/METRICS"]) {
    problemIn(await get(api, path), 401, "unauthenticated");
  }
});

test("a client without access cannot tell whether an account exists", async ({ api }) => {
  await ask(api, "POST /events", "admin", "exists");
  await api.drain();
  const [one, two] = await Promise.all(
    ["exists", "not"].map((account) => ask(api, "GET /accounts/:id/summary", "read@acme", account)),
  );
  assert.is(one?.status, 403);
  const nameless = (body = ""): unknown => ({ ...JSON.parse(body), request_id: "" });
  assert.equal(nameless(one?.body), nameless(two?.body));
});

test("one event of a forbidden account refuses the whole batch", async ({ api }) => {
  const before = await api.drain();
  const body = batchOf(validEvent({ account_id: "acme" }), validEvent({ account_id: "other" }));
  problemIn(await post(api, body, headersOf("write@acme")), 403, "account-forbidden");
  assert.is(await api.drain(), before);
});

test("a sample names only accounts that the key grants access to", async ({ api }) => {
  for (const account of ["acme", "acre", "other"]) await ask(api, "POST /events", "admin", account);
  await api.drain();
  const sampled = async (key: string) => {
    const { body } = await ask(api, "GET /accounts/sample", key, "");
    return (JSON.parse(body) as { account_ids: string[] }).account_ids.toSorted();
  };
  assert.equal(await sampled("read@acme"), ["acme"]);
  assert.equal(
    (await sampled("read@ac*")).filter((id) => id !== "acme"),
    ["acre"],
  );
  assert.ok((await sampled("read")).includes("other"));
});

test("a key is accepted as a bearer token or the user name of Basic, and in no other way", async ({
  api,
}) => {
  const basic = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;
  for (const [authorization, status] of [
    ["Bearer read", 200],
    ["bearer  read ", 200],
    [basic("read:"), 200],
    [basic("read:anything"), 200],
    [basic("read"), 200],
    [basic(":read"), 401],
    ["read", 401],
    ["Digest read", 401],
    ["Bearer", 401],
    ["Bearer read extra", 401],
    ["Basic %%%", 401],
  ] as const) {
    const bytes = requestBytes("GET /accounts/acme/summary", "", { Authorization: authorization });
    assert.is((await send(api, bytes)).status, status, authorization);
  }
});

/** A service without keys, by both ways through the gate. */
const OPEN: ReadonlyArray<Access["Service"]> = [ANYONE, undefined].map((known) => ({
  known: () => known,
  remembers: () => false,
  authenticate: () => Effect.succeed(ANYONE),
}));

test("a service without keys refuses Host names that others can point to this machine", async () => {
  for (const open of OPEN) {
    const opened = await startApi({ access: open, allowedHosts: new Set(["box"]) });
    const askFor = (host: string) =>
      send(opened, requestBytes("GET /accounts/acme/summary", "", { Host: host }));
    for (const host of ["127.0.0.1:3000", "localhost", "[::1]:3000", "box:3000"]) {
      assert.is((await askFor(host)).status, 200, host);
    }
    for (const host of ["evil.example:3000", "tidemark", "printer.local"]) {
      const { detail } = problemIn(await askFor(host), 403, "host-forbidden");
      assert.match(detail, "npm run -s keys -- create");
      assert.match(detail, "ALLOWED_HOSTS");
    }
    await opened.close();
  }
});

test("a service without keys refuses requests through a proxy", async () => {
  for (const open of OPEN) {
    const opened = await startApi({ access: open });
    const through = (path: string, header: string, value: string) =>
      send(opened, requestBytes(`GET ${path}`, "", { Host: "localhost", [header]: value }));
    for (const path of ["/metrics", "/dead-letters", "/accounts/acme/summary"]) {
      for (const [header, value] of [
        ["X-Forwarded-For", "203.0.113.9"],
        ["x-forwarded-for", "127.0.0.1"],
        ["X-Forwarded-For", ""],
        ["Forwarded", "for=203.0.113.9"],
        ["X-Real-IP", "203.0.113.9"],
        ["Via", "1.1 proxy"],
        ["X-Forwarded-Proto", "https"],
        ["CF-Connecting-IP", "203.0.113.9"],
      ] as const) {
        const { detail } = problemIn(await through(path, header, value), 403, "proxy-forbidden");
        assert.match(detail, `has ${header.toLowerCase()}.`);
      }
      assert.is((await through(path, "X-Request-Id", "1")).status, 200);
    }
    // Public paths stay public.
    assert.is((await through("/healthz", "X-Forwarded-For", "203.0.113.9")).status, 200);
    await opened.close();
  }
});

test("an exhausted quota is 429 with Retry-After", async () => {
  const quotas = {
    ...NO_QUOTAS,
    chargesOf: () => [{ name: "account:acme", events: 1, perMinute: 60 }],
    take: () => Effect.fail(new QuotaExceeded({ retryAfterSeconds: 9 })),
  };
  const api = await startApi({ quotas });
  const answer = await post(api, batchOf(validEvent()));
  problemIn(answer, 429, "quota-exceeded");
  assert.is(answer.headers["retry-after"], "9");
  assert.is(await api.drain(), 0);
  await api.close();
});

test.run();
