import { Clock, Context, Data, Deferred, Effect } from "effect";

import { makeFaultReport } from "../report_faults.ts";
import type { StoreFailure } from "../store_failure.ts";
import { parseApiKey, type StoredApiKey } from "./api_key.ts";
import { ANYONE, type Principal } from "./principal.ts";

/** Nobody knows who this is: there is no key, or none that is good. Which of the two a stranger is not told. */
export class Unauthenticated extends Data.TaggedError("Unauthenticated")<{
  readonly credential: "missing" | "invalid";
}> {}

/** The keys cannot be looked up. */
export class ApiKeysUnavailable extends Data.TaggedError("ApiKeysUnavailable")<StoreFailure> {}

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
    /** Whether such a key was found some time ago, good or not: then `authenticate` seldom looks it up. */
    readonly remembers: (key: string | undefined) => boolean;
    readonly authenticate: (
      key: string | undefined,
    ) => Effect.Effect<Principal, Unauthenticated | ApiKeysUnavailable>;
  }
>()("tidemark/access/Access") {}

/** How long a key is good without being looked up again: a revoked one is refused after this. */
export const KEPT_MS = 2_000;

/** How long it is good while it cannot be looked up: as long as what it may read is kept. */
export const KEPT_WHILE_AWAY_MS = 60_000;

/** How long a look may take. Behind it the keys count as away, and nobody looks for as long as a key is kept. */
export const LOOK_MS_MAX = 2_000;

/** How many keys are remembered, those that do not exist among them. */
const KEPT_MAX = 10_000;

export interface AccessOptions {
  readonly keys: ApiKeys["Service"];
  /** Whether a secret is the one that a hash is of, in a time that does not tell where they differ. */
  readonly isSecretOf: (secret: string, hash: Uint8Array) => boolean;
  /** Whether anybody is let in while there is no key at all. */
  readonly openWithoutKeys: boolean;
}

interface Kept<A> {
  readonly value: A;
  readonly at: number;
}

type Looks<A> = Map<string, Deferred.Deferred<A, ApiKeysUnavailable>>;

/** Joins the look for an id that is under way, or begins one. */
const lookOnce = <A>(
  running: Looks<A>,
  id: string,
  look: Effect.Effect<A, ApiKeysUnavailable>,
): Effect.Effect<A, ApiKeysUnavailable> =>
  Effect.suspend(() => {
    const joined = running.get(id);
    if (joined !== undefined) return Deferred.await(joined);
    const found = Deferred.makeUnsafe<A, ApiKeysUnavailable>();
    running.set(id, found);
    const ended = Effect.sync(() => running.delete(id));
    // Detached: whoever began it may go away. It takes `LOOK_MS_MAX` at most.
    const begun = Effect.forkDetach(Deferred.into(Effect.ensuring(look, ended), found));
    return Effect.andThen(begun, Deferred.await(found));
  });

export const makeAccess = Effect.fnUntraced(function* ({
  keys,
  isSecretOf,
  openWithoutKeys,
}: AccessOptions): Effect.fn.Return<Access["Service"]> {
  const clock = yield* Clock.Clock;
  const lookUps = yield* makeFaultReport({
    task: "keys",
    failing:
      "API keys cannot be looked up: those looked up in the last minute stay good, and no others are",
    working: "API keys are looked up again",
  });
  const kept = new Map<string, Kept<StoredApiKey | undefined>>();
  /** Looks that are under way, by the id of the key: whoever comes with it meanwhile waits for the same one. */
  const looks: Looks<StoredApiKey | undefined> = new Map();
  const existLooks: Looks<boolean> = new Map();
  let exist: Kept<boolean> | undefined;
  /** Until when nobody looks again, because the last look failed. */
  let awayUntil = Number.NEGATIVE_INFINITY;

  const isGood = ({ at }: Kept<unknown>, now: number): boolean =>
    now - at < (now < awayUntil ? KEPT_WHILE_AWAY_MS : KEPT_MS);

  /** What was found a moment ago, or what is found now; while nothing can be, what was found last. */
  const recent = <A>(
    last: Kept<A> | undefined,
    running: Looks<A>,
    id: string,
    find: Effect.Effect<A, ApiKeysUnavailable>,
    keep: (found: Kept<A>) => void,
  ): Effect.Effect<A, ApiKeysUnavailable> =>
    Effect.suspend(() => {
      const since = clock.currentTimeMillisUnsafe();
      if (last !== undefined && isGood(last, since)) return Effect.succeed(last.value);
      const look = find.pipe(
        Effect.timeoutOrElse({
          duration: LOOK_MS_MAX,
          orElse: () => Effect.fail(new ApiKeysUnavailable({ cause: "no answer in time" })),
        }),
        // As of the begin of the look: what is revoked meanwhile may not have been seen.
        Effect.tap((value) => {
          keep({ value, at: since });
          return lookUps.worked;
        }),
        Effect.tapError((error) => {
          awayUntil = clock.currentTimeMillisUnsafe() + KEPT_MS;
          return lookUps.failed(error);
        }),
      );
      const found = lookOnce(running, id, look);
      return last !== undefined && since - last.at < KEPT_WHILE_AWAY_MS
        ? Effect.orElseSucceed(found, () => last.value)
        : found;
    });

  const keepKey = (id: string, found: Kept<StoredApiKey | undefined>): void => {
    kept.delete(id);
    kept.set(id, found);
    // The one that was looked up longest ago.
    if (kept.size > KEPT_MAX) kept.delete(kept.keys().next().value ?? id);
  };

  const lookUp = (id: string) =>
    Effect.suspend(() =>
      recent(kept.get(id), looks, id, keys.find(id), (found) => keepKey(id, found)),
    );

  const isOpen = Effect.suspend(() => {
    // Once there was a key there always was one.
    if (!openWithoutKeys || exist?.value === true) return Effect.succeed(false);
    const any = recent(exist, existLooks, "", keys.exist, (found) => {
      exist = found;
    });
    return Effect.map(any, (value) => !value);
  });

  const principalOf = (secret: string, stored: StoredApiKey | undefined): Principal | undefined =>
    stored !== undefined && !stored.revoked && isSecretOf(secret, stored.secretHash)
      ? stored.principal
      : undefined;

  return {
    known: (key) => {
      const now = clock.currentTimeMillisUnsafe();
      if (exist?.value === false && isGood(exist, now)) return ANYONE;
      const parts = key === undefined ? undefined : parseApiKey(key);
      const last = parts === undefined ? undefined : kept.get(parts.id);
      if (parts === undefined || last === undefined || !isGood(last, now)) return undefined;
      return principalOf(parts.secret, last.value);
    },

    remembers: (key) => {
      const parts = key === undefined ? undefined : parseApiKey(key);
      return parts !== undefined && kept.get(parts.id)?.value !== undefined;
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
