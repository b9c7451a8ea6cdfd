import { Context } from "effect";

/**
 * The client that a fiber works for: `key:<id>` for a request with a key, else `address:<address>`. What clients share
 * fairly (memory for bodies, time to decode them, reads of the database) is divided by this name.
 */
export const Client = Context.Reference<string>("tidemark/access/Client", {
  defaultValue: () => "service",
});

/** What a key may be used for. `admin` includes the others. */
export const SCOPES = ["write", "read", "admin"] as const;
export type Scope = (typeof SCOPES)[number];

/** Which accounts a key grants access to. */
export type AccountBinding =
  | { readonly _tag: "All" }
  | { readonly _tag: "One"; readonly accountId: string }
  | { readonly _tag: "Prefix"; readonly prefix: string };

/** The sender of a request, and what they may do. */
export interface Principal {
  /** The public part of the key; undefined without a key. */
  readonly keyId: string | undefined;
  readonly scopes: ReadonlySet<Scope>;
  readonly accounts: AccountBinding;
  /** The most requests a minute; undefined if the key sets no limit. */
  readonly requestsPerMinute: number | undefined;
  /** The most events a minute; undefined if the key sets no limit. */
  readonly eventsPerMinute: number | undefined;
}

/** The principal of every request while the service needs no keys. */
export const ANYONE: Principal = {
  keyId: undefined,
  scopes: new Set(SCOPES),
  accounts: { _tag: "All" },
  requestsPerMinute: undefined,
  eventsPerMinute: undefined,
};

/** Whether a principal has a scope, itself or through `admin`. */
export const hasScope = ({ scopes }: Principal, scope: Scope): boolean =>
  scopes.has(scope) || scopes.has("admin");

/** Whether a principal has access to an account. */
export const covers = ({ accounts }: Principal, accountId: string): boolean => {
  switch (accounts._tag) {
    case "All":
      return true;
    case "One":
      return accounts.accountId === accountId;
    case "Prefix":
      return accountId.startsWith(accounts.prefix);
  }
};
