import { Clock, Context, Data, Effect } from "effect";

import { isSameHash, parseApiKey, type StoredApiKey } from "./api_key.ts";
import { ANYONE, type Principal } from "./principal.ts";

/** Nobody knows who this is: there is no key, or none that is good. Which of the two a stranger is not told. */
export class Unauthenticated extends Data.TaggedError("Unauthenticated")<{
  readonly credential: "missing" | "invalid";
}> {}

/** The keys cannot be looked up. */
export class ApiKeysUnavailable extends Data.TaggedError("ApiKeysUnavailable")<{
  readonly cause: unknown;
}> {}

/** Where keys are stored. */
export class ApiKeys extends Context.Service<
  ApiKeys,
  {
    /** The key of an id, revoked or not; undefined when there never was one. */
    readonly find: (id: string) => Effect.Effect<StoredApiKey | undefined, ApiKeysUnavailable>;
    /** Whether there ever was a key. */
    readonly exist: Effect.Effect<boolean, ApiKeysUnavailable>;
  }
>()("tidemark/access/ApiKeys") {}

/** Tells who a request comes from. */
export class Access extends Context.Service<
  Access,
  {
    /** Who a key is of, if that was looked up a moment ago: without waiting, for the hot path. */
    readonly known: (key: string | undefined) => Principal | undefined;
    readonly authenticate: (
      key: string | undefined,
    ) => Effect.Effect<Principal, Unauthenticated | ApiKeysUnavailable>;
  }
>()("tidemark/access/Access") {}

/** How long a key is good without being looked up again: a revoked one is refused after this. */
export const KEPT_MS = 2_000;

/** How long it is good while it cannot be looked up: as long as what it may read is kept. */
export const KEPT_WHILE_AWAY_MS = 60_000;

/** How many keys are remembered, those that do not exist among them. */
const KEPT_MAX = 10_000;

export interface AccessOptions {
  readonly keys: ApiKeys["Service"];
  /** SHA-256 of a text. */
  readonly hash: (text: string) => Uint8Array;
  /** Whether anybody is let in while there is no key at all. */
  readonly openWithoutKeys: boolean;
}

interface Kept<A> {
  readonly value: A;
  readonly at: number;
}

export const makeAccess = Effect.fnUntraced(function* ({
  keys,
  hash,
  openWithoutKeys,
}: AccessOptions): Effect.fn.Return<Access["Service"]> {
  const clock = yield* Clock.Clock;
  const kept = new Map<string, Kept<StoredApiKey | undefined>>();
  let exist: Kept<boolean> = { value: true, at: Number.NEGATIVE_INFINITY };

  const isFresh = ({ at }: Kept<unknown>, now: number): boolean => now - at < KEPT_MS;

  const keep = (id: string, value: StoredApiKey | undefined): void => {
    kept.delete(id);
    kept.set(id, { value, at: clock.currentTimeMillisUnsafe() });
    // The one that was looked up longest ago.
    if (kept.size > KEPT_MAX) kept.delete(kept.keys().next().value ?? id);
  };

  const lookUp = (id: string) =>
    Effect.suspend(() => {
      const last = kept.get(id);
      const now = clock.currentTimeMillisUnsafe();
      if (last !== undefined && isFresh(last, now)) return Effect.succeed(last.value);
      const found = Effect.tap(keys.find(id), (value) => Effect.sync(() => keep(id, value)));
      return last !== undefined && now - last.at < KEPT_WHILE_AWAY_MS
        ? Effect.orElseSucceed(found, () => last.value)
        : found;
    });

  const isOpen = Effect.suspend(() => {
    // Once there was a key there always was one.
    if (!openWithoutKeys || (exist.value && Number.isFinite(exist.at)))
      return Effect.succeed(false);
    if (isFresh(exist, clock.currentTimeMillisUnsafe())) return Effect.succeed(!exist.value);
    return Effect.map(keys.exist, (value) => {
      exist = { value, at: clock.currentTimeMillisUnsafe() };
      return !value;
    });
  });

  const principalOf = (secret: string, stored: StoredApiKey | undefined): Principal | undefined =>
    stored !== undefined && !stored.revoked && isSameHash(hash(secret), stored.secretHash)
      ? stored.principal
      : undefined;

  return {
    known: (key) => {
      const now = clock.currentTimeMillisUnsafe();
      if (!exist.value && isFresh(exist, now)) return ANYONE;
      const parts = key === undefined ? undefined : parseApiKey(key);
      const last = parts === undefined ? undefined : kept.get(parts.id);
      if (parts === undefined || last === undefined || !isFresh(last, now)) return undefined;
      return principalOf(parts.secret, last.value);
    },

    authenticate: Effect.fnUntraced(function* (key) {
      if (yield* isOpen) return ANYONE;
      if (key === undefined) return yield* new Unauthenticated({ credential: "missing" });
      const parts = parseApiKey(key);
      const stored = parts === undefined ? undefined : yield* lookUp(parts.id);
      const principal = parts && principalOf(parts.secret, stored);
      return principal ?? (yield* new Unauthenticated({ credential: "invalid" }));
    }),
  };
});
