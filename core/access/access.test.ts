import { Effect, Fiber, Result } from "effect";
import { TestClock } from "effect/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { settled, simulate } from "../simulate.fixture.ts";
import {
  type ApiKeys,
  ApiKeysUnavailable,
  KEPT_MS,
  KEPT_WHILE_AWAY_MS,
  LOOK_MS_MAX,
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

/** Keys that a test changes. */
const makeKeys = () => {
  const stored = new Map<string, StoredApiKey>();
  const state = { away: false as boolean | "hangs", looks: 0 };
  const unlessAway = <A>(value: () => A) =>
    Effect.andThen(Effect.yieldNow, () => {
      state.looks++;
      if (state.away === "hangs") return Effect.never;
      return state.away
        ? Effect.fail(new ApiKeysUnavailable({ cause: "away" }))
        : Effect.succeed(value());
    });
  const service: ApiKeys["Service"] = {
    find: (id) => unlessAway(() => stored.get(id)),
    exist: unlessAway(() => stored.size > 0),
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
          : "away",
    );
  return { keys, access, outcome };
});

test("who comes with a key while it is looked up waits for the same look", () =>
  simulate(
    Effect.gen(function* () {
      const { keys, outcome } = yield* setUp();
      const { text, id } = keys.add();
      const outcomes = yield* Effect.all(
        Array.from({ length: 100 }, () => outcome(text)),
        { concurrency: "unbounded" },
      );
      assert.equal(new Set(outcomes), new Set([id]));
      assert.is(keys.state.looks, 1);
    }),
  ));

test("a good key tells whose it is, and one that is wrong anywhere does not", () =>
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
        // Of an id that there is, or of none.
        assert.is(access.remembers(bad), bad.includes(id), bad);
      }
    }),
  ));

test("a key is looked up once in a while, and is known without waiting in between", () =>
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
      assert.is(keys.state.looks, 1);
      yield* TestClock.adjust(KEPT_MS);
      assert.is(access.known(text), undefined);
      yield* outcome(text);
      assert.is(keys.state.looks, 2);
    }),
  ));

test("a revoked key is refused within five seconds, and so is one that comes to exist accepted", () =>
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

test("while keys cannot be looked up those go on that are known, for a while, and nobody else", () =>
  simulate(
    Effect.gen(function* () {
      const { keys, outcome } = yield* setUp();
      const { text, id } = keys.add();
      const unknown = keys.add();
      yield* outcome(text);
      keys.state.away = true;
      yield* TestClock.adjust(KEPT_WHILE_AWAY_MS - 1);
      assert.is(yield* outcome(text), id);
      assert.is(yield* outcome(unknown.text), "away");
      assert.is(yield* outcome("nonsense"), "invalid");
      yield* TestClock.adjust(1);
      assert.is(yield* outcome(text), "away");
      keys.state.away = false;
      assert.is(yield* outcome(text), id);
    }),
  ));

test("keys that cannot be looked up are reported when that begins and when it ends", () => {
  const logged: string[] = [];
  return simulate(
    Effect.gen(function* () {
      const { keys, outcome } = yield* setUp();
      const { text, id } = keys.add();
      yield* outcome(text);
      keys.state.away = true;
      for (let i = 0; i < 3; i++) {
        yield* TestClock.adjust(KEPT_MS);
        assert.is(yield* outcome(text), id);
      }
      assert.is(logged.length, 1, logged.join());
      assert.match(logged[0] ?? "", /^Warn: API keys cannot be looked up/);
      keys.state.away = false;
      yield* TestClock.adjust(KEPT_MS);
      assert.is(yield* outcome(text), id);
      assert.equal(logged.slice(1), ["Info: API keys are looked up again"]);
    }),
    logged,
  );
});

test("who asks often does not wait for a look each time while keys cannot be looked up", () =>
  simulate(
    Effect.gen(function* () {
      const { keys, access, outcome } = yield* setUp();
      const { text, id, principal } = keys.add();
      yield* outcome(text);
      keys.state.away = true;
      yield* TestClock.adjust(KEPT_MS);
      assert.is(access.known(text), undefined);
      const before = keys.state.looks;
      for (let i = 0; i < 10; i++) {
        assert.is(yield* outcome(text), id);
        assert.is(access.known(text), principal);
      }
      assert.is(keys.state.looks, before + 1);
      // What was revoked meanwhile is found out as soon as it can be.
      keys.state.away = false;
      keys.revoke(id);
      yield* TestClock.adjust(KEPT_MS);
      assert.is(access.known(text), undefined);
      assert.is(yield* outcome(text), "invalid");
    }),
  ));

test("a look that hangs is waited for a moment, and then done without", () =>
  simulate(
    Effect.gen(function* () {
      const { keys, outcome } = yield* setUp();
      const { text, id } = keys.add();
      const unknown = keys.add();
      yield* outcome(text);
      keys.state.away = "hangs";
      yield* TestClock.adjust(KEPT_MS);
      const known = yield* Effect.forkChild(outcome(text));
      const other = yield* Effect.forkChild(outcome(unknown.text));
      yield* TestClock.adjust(LOOK_MS_MAX);
      assert.is(yield* Fiber.join(known), id);
      assert.is(yield* Fiber.join(other), "away");
    }),
  ));

test("a key that is revoked while it is looked up is refused in time", () =>
  simulate(
    Effect.gen(function* () {
      assert.ok(KEPT_MS + LOOK_MS_MAX < 5_000);
      const keys = makeKeys();
      const find: ApiKeys["Service"]["find"] = (id) =>
        Effect.tap(keys.service.find(id), () => Effect.sleep(LOOK_MS_MAX - 1));
      const access = yield* makeAccess({
        keys: { ...keys.service, find },
        isSecretOf,
        openWithoutKeys: false,
      });
      const { text, id, principal } = keys.add();
      const first = yield* Effect.forkChild(access.authenticate(text));
      yield* settled;
      keys.revoke(id);
      yield* TestClock.adjust(LOOK_MS_MAX - 1);
      assert.is(yield* Fiber.join(first), principal);
      yield* TestClock.adjust(1);
      assert.is(access.known(text), undefined);
    }),
  ));

test("an open service stays open for a while when nobody knows whether there are keys", () =>
  simulate(
    Effect.gen(function* () {
      const { keys, access, outcome } = yield* setUp(true);
      keys.state.away = true;
      assert.is(yield* outcome(undefined), "away");
      keys.state.away = false;
      yield* TestClock.adjust(KEPT_MS);
      assert.is(yield* outcome(undefined), "anyone");
      keys.state.away = true;
      yield* TestClock.adjust(KEPT_WHILE_AWAY_MS - 1);
      assert.is(yield* outcome(undefined), "anyone");
      assert.is(access.known(undefined), ANYONE);
      yield* TestClock.adjust(1);
      assert.is(access.known(undefined), undefined);
      assert.is(yield* outcome(undefined), "away");
    }),
  ));

test("without keys it is open where that is allowed, until there is one", () =>
  simulate(
    Effect.gen(function* () {
      const { keys, access, outcome } = yield* setUp(true);
      assert.is(yield* outcome(undefined), "anyone");
      assert.is(access.known(undefined), ANYONE);
      const { text, id } = keys.add();
      yield* TestClock.adjust(KEPT_MS);
      assert.is(access.known(undefined), undefined);
      assert.is(yield* outcome(undefined), "missing");
      assert.is(yield* outcome(text), id);
      // Revoking the last one does not open the door again.
      keys.revoke(id);
      yield* TestClock.adjust(KEPT_MS);
      assert.is(yield* outcome(undefined), "missing");
      assert.is(yield* outcome(text), "invalid");
    }),
  ));

test("where it must not be open it is not, with keys or without", () =>
  simulate(
    Effect.gen(function* () {
      const { access, outcome } = yield* setUp(false);
      assert.is(yield* outcome(undefined), "missing");
      assert.is(access.known(undefined), undefined);
    }),
  ));

test.run();
