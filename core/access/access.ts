import { Clock, Context, Data, Deferred, Effect } from "effect";

import { makeFaultReport } from "../report_faults.ts";
import type { StoreFailure } from "../store_failure.ts";
import { MINUTE_MS } from "../time.ts";
import { parseApiKey, type StoredApiKey } from "./api_key.ts";
import { ANYONE, type Principal } from "./principal.ts";

/** The request has no key, or no valid one. Clients are not told which. */
export class Unauthenticated extends Data.TaggedError("Unauthenticated")<{
  readonly credential: "missing" | "invalid";
}> {}

/** The keys cannot be looked up. */
export class ApiKeysUnavailable extends Data.TaggedError("ApiKeysUnavailable")<StoreFailure> {}

/** The store of the keys. */
export class ApiKeys extends Context.Service<
  ApiKeys,
  {
    /** The key with this id, revoked or not; undefined if it never existed. */
    readonly find: (id: string) => Effect.Effect<StoredApiKey | undefined, ApiKeysUnavailable>;
    /** Whether any key ever existed. */
    readonly exist: Effect.Effect<boolean, ApiKeysUnavailable>;
  }
>()("tidemark/access/ApiKeys") {}

/** Finds the principal of a request. */
export class Access extends Context.Service<
  Access,
  {
    /** The principal of a key, if it was looked up recently. Does not wait, for the hot path. */
    readonly known: (key: string | undefined) => Principal | undefined;
    /** Whether this key was found before, valid or not. If so, `authenticate` rarely needs a lookup. */
    readonly remembers: (key: string | undefined) => boolean;
    readonly authenticate: (
      key: string | undefined,
    ) => Effect.Effect<Principal, Unauthenticated | ApiKeysUnavailable>;
  }
>()("tidemark/access/Access") {}

/** How long the result of a lookup is used. A revoked key is refused after this time. */
export const FRESH_MS = 2_000;

/** How long it is used while lookups fail: as long as cached summaries are served. */
export const STALE_MAX_MS = MINUTE_MS;

/** How long a lookup may take. After a failure, the next one waits for `FRESH_MS`. */
export const LOOKUP_TIMEOUT_MS = 2_000;

/** How many keys are remembered, including ids that do not exist. */
const REMEMBERED_MAX = 10_000;

export interface AccessOptions {
  readonly keys: ApiKeys["Service"];
  /** Whether a hash belongs to a secret, compared in constant time. */
  readonly isSecretOf: (secret: string, hash: Uint8Array) => boolean;
  /** Whether requests need no key as long as none exists. */
  readonly openWithoutKeys: boolean;
}

/** The result of a lookup, and when the lookup started. */
interface Found<A> {
  readonly value: A;
  readonly at: number;
}

/** The lookups that are running, by key id. */
type Lookups<A> = Map<string, Deferred.Deferred<A, ApiKeysUnavailable>>;

/** Single flight: joins the running lookup of an id, or starts one. */
const joinOrStart = <A>(
  running: Lookups<A>,
  id: string,
  lookup: Effect.Effect<A, ApiKeysUnavailable>,
): Effect.Effect<A, ApiKeysUnavailable> =>
  Effect.suspend(() => {
    const joined = running.get(id);
    if (joined !== undefined) return Deferred.await(joined);
    const found = Deferred.makeUnsafe<A, ApiKeysUnavailable>();
    running.set(id, found);
    const ended = Effect.sync(() => running.delete(id));
    // Detached, because others may wait for it after the request that started it has ended.
    const started = Effect.forkDetach(Deferred.into(Effect.ensuring(lookup, ended), found));
    return Effect.andThen(started, Deferred.await(found));
  });

/**
 * Remembers lookups itself, because Effect's `Cache` cannot be read without running an effect, and forgets a value when
 * its refresh fails.
 */
export const makeAccess = Effect.fnUntraced(function* ({
  keys,
  isSecretOf,
  openWithoutKeys,
}: AccessOptions): Effect.fn.Return<Access["Service"]> {
  const clock = yield* Clock.Clock;
  const lookups = yield* makeFaultReport({
    task: "keys",
    failing:
      "Cannot look up API keys: keys looked up in the last minute stay valid, others are refused with 503",
    working: "API keys can be looked up again",
  });
  const remembered = new Map<string, Found<StoredApiKey | undefined>>();
  const keyLookups: Lookups<StoredApiKey | undefined> = new Map();
  const existLookups: Lookups<boolean> = new Map();
  let exist: Found<boolean> | undefined;
  /** After a failed lookup, no other one starts before this time. */
  let backoffUntil = Number.NEGATIVE_INFINITY;

  const isUsable = ({ at }: Found<unknown>, now: number): boolean =>
    now - at < (now < backoffUntil ? STALE_MAX_MS : FRESH_MS);

  /** The last result if it is fresh, else a new one; while lookups fail, the last one. */
  const recent = <A>(
    last: Found<A> | undefined,
    running: Lookups<A>,
    id: string,
    find: Effect.Effect<A, ApiKeysUnavailable>,
    remember: (found: Found<A>) => void,
  ): Effect.Effect<A, ApiKeysUnavailable> =>
    Effect.suspend(() => {
      const since = clock.currentTimeMillisUnsafe();
      if (last !== undefined && isUsable(last, since)) return Effect.succeed(last.value);
      const lookup = find.pipe(
        Effect.timeoutOrElse({
          duration: LOOKUP_TIMEOUT_MS,
          orElse: () =>
            Effect.fail(
              new ApiKeysUnavailable({ cause: `no answer within ${LOOKUP_TIMEOUT_MS} ms` }),
            ),
        }),
        // From the start of the lookup: it may have missed what was revoked in the meantime.
        Effect.tap((value) => {
          remember({ value, at: since });
          return lookups.worked;
        }),
        Effect.tapError((error) => {
          backoffUntil = clock.currentTimeMillisUnsafe() + FRESH_MS;
          return lookups.failed(error);
        }),
      );
      const found = joinOrStart(running, id, lookup);
      return last !== undefined && since - last.at < STALE_MAX_MS
        ? Effect.orElseSucceed(found, () => last.value)
        : found;
    });

  const rememberKey = (id: string, found: Found<StoredApiKey | undefined>): void => {
    remembered.delete(id);
    remembered.set(id, found);
    if (remembered.size <= REMEMBERED_MAX) return;
    const [oldest] = remembered.keys();
    if (oldest !== undefined) remembered.delete(oldest);
  };

  const lookUp = (id: string) =>
    Effect.suspend(() =>
      recent(remembered.get(id), keyLookups, id, keys.find(id), (found) => rememberKey(id, found)),
    );

  const isOpen = Effect.suspend(() => {
    // Once a key has existed, requests always need one.
    if (!openWithoutKeys || exist?.value === true) return Effect.succeed(false);
    const any = recent(exist, existLookups, "", keys.exist, (found) => {
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
      if (exist?.value === false && isUsable(exist, now)) return ANYONE;
      const parts = key === undefined ? undefined : parseApiKey(key);
      const last = parts === undefined ? undefined : remembered.get(parts.id);
      if (parts === undefined || last === undefined || !isUsable(last, now)) return undefined;
      return principalOf(parts.secret, last.value);
    },

    remembers: (key) => {
      const parts = key === undefined ? undefined : parseApiKey(key);
      return parts !== undefined && remembered.get(parts.id)?.value !== undefined;
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
