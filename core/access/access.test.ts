import { Effect, Fiber, Result } from "effect";
import { TestClock } from "effect/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { settled, simulate } from "../simulate.fixture.ts";
import {
  type ApiKeys,
  ApiKeysUnavailable,
  FRESH_MS,
  STALE_MAX_MS,
  LOOKUP_TIMEOUT_MS,
  makeAccess,
} from "./access.ts";
import { API_KEY_BYTES, formatApiKey, newApiKey, type StoredApiKey } from "./api_key.ts";
import { ANYONE, type Principal } from "./principal.ts";

const test = suite("access");

const hash = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
const isSecretOf = (secret: string, stored: Uint8Array): boolean =>
  String(hash(secret)) === String(stored);

let made = 0;
const aKey = () =>
  newApiKey(Uint8Array.from({ length: API_KEY_BYTES }, (_, i) => (++made * 7 + i) % 256));

/** A store of keys that a test changes. */
const makeKeys = () => {
  const stored = new Map<string, StoredApiKey>();
  const state = { unavailable: false as boolean | "hangs", lookups: 0 };
  const whileAvailable = <A>(value: () => A) =>
    Effect.andThen(Effect.yieldNow, () => {
      state.lookups++;
      if (state.unavailable === "hangs") return Effect.never;
      return state.unavailable
        ? Effect.fail(new ApiKeysUnavailable({ cause: "unavailable" }))
        : Effect.succeed(value());
    });
  const service: ApiKeys["Service"] = {
    find: (id) => whileAvailable(() => stored.get(id)),
    exist: whileAvailable(() => stored.size > 0),
  };
  const add = () => {
    const key = aKey();
    const principal: Principal = { ...ANYONE, keyId: key.id };
    stored.set(key.id, { secretHash: hash(key.secret), principal, revoked: false });
    return { text: formatApiKey(key), id: key.id, principal };
  };
  const revoke = (id: string): void => {
    const key = stored.get(id);
    if (key !== undefined) stored.set(id, { ...key, revoked: true });
  };
  return { service, add, revoke, state };
};

const setUp = Effect.fnUntraced(function* (openWithoutKeys = false) {
  const keys = makeKeys();
  const access = yield* makeAccess({ keys: keys.service, isSecretOf, openWithoutKeys });
  const outcome = (key: string | undefined) =>
    Effect.map(Effect.result(access.authenticate(key)), (result) =>
      Result.isSuccess(result)
        ? (result.success.keyId ?? "anyone")
        : result.failure._tag === "Unauthenticated"
          ? result.failure.credential
          : "unavailable",
    );
  return { keys, access, outcome };
});

test("concurrent requests with the same key share one lookup", () =>
  simulate(
    Effect.gen(function* () {
      const { keys, outcome } = yield* setUp();
      const { text, id } = keys.add();
      const outcomes = yield* Effect.all(
        Array.from({ length: 100 }, () => outcome(text)),
        { concurrency: "unbounded" },
      );
      assert.equal(new Set(outcomes), new Set([id]));
      assert.is(keys.state.lookups, 1);
    }),
  ));

test("a valid key identifies its principal, and a key with any error does not", () =>
  simulate(
    Effect.gen(function* () {
      const { keys, access, outcome } = yield* setUp();
      const { text, id } = keys.add();
      assert.is(yield* outcome(text), id);
      assert.is(yield* outcome(undefined), "missing");
      const swapped = text.endsWith("A") ? "B" : "A";
      const wrongSecret = `${text.slice(0, -1)}${swapped}`;
      const other = formatApiKey({ ...aKey(), id });
      for (const bad of [
        wrongSecret,
        other,
        formatApiKey(aKey()),
        "",
        "secret",
        text.toUpperCase(),
      ]) {
        assert.is(yield* outcome(bad), "invalid", bad);
        // Whether the id exists or not.
        assert.is(access.remembers(bad), bad.includes(id), bad);
      }
    }),
  ));

test("a key is looked up only now and then, and is known without waiting in between", () =>
  simulate(
    Effect.gen(function* () {
      const { keys, access, outcome } = yield* setUp();
      const { text, principal } = keys.add();
      assert.is(access.known(text), undefined);
      assert.not.ok(access.remembers(text));
      yield* outcome(text);
      assert.is(access.known(text), principal);
      assert.ok(access.remembers(text));
      assert.is(access.known(formatApiKey({ ...aKey(), id: principal.keyId ?? "" })), undefined);
      for (let i = 0; i < 10; i++) yield* outcome(text);
      assert.is(keys.state.lookups, 1);
      yield* TestClock.adjust(FRESH_MS);
      assert.is(access.known(text), undefined);
      yield* outcome(text);
      assert.is(keys.state.lookups, 2);
    }),
  ));

test("a revoked key is refused within five seconds", () =>
  simulate(
    Effect.gen(function* () {
      const { keys, access, outcome } = yield* setUp();
      const { text, id } = keys.add();
      assert.is(yield* outcome(text), id);
      keys.revoke(id);
      yield* TestClock.adjust(5_000);
      assert.is(access.known(text), undefined);
      assert.is(yield* outcome(text), "invalid");
    }),
  ));

test("while lookups fail, known keys stay valid for a while, and others are refused", () =>
  simulate(
    Effect.gen(function* () {
      const { keys, outcome } = yield* setUp();
      const { text, id } = keys.add();
      const unknown = keys.add();
      yield* outcome(text);
      keys.state.unavailable = true;
      yield* TestClock.adjust(STALE_MAX_MS - 1);
      assert.is(yield* outcome(text), id);
      assert.is(yield* outcome(unknown.text), "unavailable");
      assert.is(yield* outcome("nonsense"), "invalid");
      yield* TestClock.adjust(1);
      assert.is(yield* outcome(text), "unavailable");
      keys.state.unavailable = false;
      assert.is(yield* outcome(text), id);
    }),
  ));

test("failing lookups are reported when they start to fail and when they work again", () => {
  const logged: string[] = [];
  return simulate(
    Effect.gen(function* () {
      const { keys, outcome } = yield* setUp();
      const { text, id } = keys.add();
      yield* outcome(text);
      keys.state.unavailable = true;
      for (let i = 0; i < 3; i++) {
        yield* TestClock.adjust(FRESH_MS);
        assert.is(yield* outcome(text), id);
      }
      assert.is(logged.length, 1, logged.join());
      assert.match(logged[0] ?? "", /^Warn: Cannot look up API keys/);
      keys.state.unavailable = false;
      yield* TestClock.adjust(FRESH_MS);
      assert.is(yield* outcome(text), id);
      assert.equal(logged.slice(1), ["Info: API keys can be looked up again"]);
    }),
    logged,
  );
});

test("while lookups fail, frequent requests do not wait for one each time", () =>
  simulate(
    Effect.gen(function* () {
      const { keys, access, outcome } = yield* setUp();
      const { text, id, principal } = keys.add();
      yield* outcome(text);
      keys.state.unavailable = true;
      yield* TestClock.adjust(FRESH_MS);
      assert.is(access.known(text), undefined);
      const before = keys.state.lookups;
      for (let i = 0; i < 10; i++) {
        assert.is(yield* outcome(text), id);
        assert.is(access.known(text), principal);
      }
      assert.is(keys.state.lookups, before + 1);
      // A key that was revoked in the meantime is refused as soon as lookups work.
      keys.state.unavailable = false;
      keys.revoke(id);
      yield* TestClock.adjust(FRESH_MS);
      assert.is(access.known(text), undefined);
      assert.is(yield* outcome(text), "invalid");
    }),
  ));

test("a lookup that hangs is given up after a short time", () =>
  simulate(
    Effect.gen(function* () {
      const { keys, outcome } = yield* setUp();
      const { text, id } = keys.add();
      const unknown = keys.add();
      yield* outcome(text);
      keys.state.unavailable = "hangs";
      yield* TestClock.adjust(FRESH_MS);
      const known = yield* Effect.forkChild(outcome(text));
      const other = yield* Effect.forkChild(outcome(unknown.text));
      yield* TestClock.adjust(LOOKUP_TIMEOUT_MS);
      assert.is(yield* Fiber.join(known), id);
      assert.is(yield* Fiber.join(other), "unavailable");
    }),
  ));

test("a key that is revoked during its lookup is refused in time", () =>
  simulate(
    Effect.gen(function* () {
      assert.ok(FRESH_MS + LOOKUP_TIMEOUT_MS < 5_000);
      const keys = makeKeys();
      const find: ApiKeys["Service"]["find"] = (id) =>
        Effect.tap(keys.service.find(id), () => Effect.sleep(LOOKUP_TIMEOUT_MS - 1));
      const access = yield* makeAccess({
        keys: { ...keys.service, find },
        isSecretOf,
        openWithoutKeys: false,
      });
      const { text, id, principal } = keys.add();
      const first = yield* Effect.forkChild(access.authenticate(text));
      yield* settled;
      keys.revoke(id);
      yield* TestClock.adjust(LOOKUP_TIMEOUT_MS - 1);
      assert.is(yield* Fiber.join(first), principal);
      yield* TestClock.adjust(1);
      assert.is(access.known(text), undefined);
    }),
  ));

test("an open service stays open for a while when it cannot find out whether keys exist", () =>
  simulate(
    Effect.gen(function* () {
      const { keys, access, outcome } = yield* setUp(true);
      keys.state.unavailable = true;
      assert.is(yield* outcome(undefined), "unavailable");
      keys.state.unavailable = false;
      yield* TestClock.adjust(FRESH_MS);
      assert.is(yield* outcome(undefined), "anyone");
      keys.state.unavailable = true;
      yield* TestClock.adjust(STALE_MAX_MS - 1);
      assert.is(yield* outcome(undefined), "anyone");
      assert.is(access.known(undefined), ANYONE);
      yield* TestClock.adjust(1);
      assert.is(access.known(undefined), undefined);
      assert.is(yield* outcome(undefined), "unavailable");
    }),
  ));

test("without keys a service may be open, until the first key exists", () =>
  simulate(
    Effect.gen(function* () {
      const { keys, access, outcome } = yield* setUp(true);
      assert.is(yield* outcome(undefined), "anyone");
      assert.is(access.known(undefined), ANYONE);
      const { text, id } = keys.add();
      yield* TestClock.adjust(FRESH_MS);
      assert.is(access.known(undefined), undefined);
      assert.is(yield* outcome(undefined), "missing");
      assert.is(yield* outcome(text), id);
      // Revoking the last key does not open the service again.
      keys.revoke(id);
      yield* TestClock.adjust(FRESH_MS);
      assert.is(yield* outcome(undefined), "missing");
      assert.is(yield* outcome(text), "invalid");
    }),
  ));

test("a service that must not be open is closed, with keys or without", () =>
  simulate(
    Effect.gen(function* () {
      const { access, outcome } = yield* setUp(false);
      assert.is(yield* outcome(undefined), "missing");
      assert.is(access.known(undefined), undefined);
    }),
  ));

test.run();
