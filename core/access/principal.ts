/** What a key may be used for. `admin` includes the others. */
export const SCOPES = ["write", "read", "admin"] as const;
export type Scope = (typeof SCOPES)[number];

/** Which accounts a key is for. */
export type AccountBinding =
  | { readonly _tag: "All" }
  | { readonly _tag: "One"; readonly accountId: string }
  | { readonly _tag: "Prefix"; readonly prefix: string };

/** Who a request comes from, and what they may do. */
export interface Principal {
  /** The public part of their key; undefined for somebody without one. */
  readonly keyId: string | undefined;
  readonly scopes: ReadonlySet<Scope>;
  readonly accounts: AccountBinding;
  /** The most requests a minute; undefined where the key sets none. */
  readonly requestsPerMinute: number | undefined;
  /** The most events a minute; undefined where the key sets none. */
  readonly eventsPerMinute: number | undefined;
}

/** Whoever asks a service that is open to all on its machine. */
export const ANYONE: Principal = {
  keyId: undefined,
  scopes: new Set(SCOPES),
  accounts: { _tag: "All" },
  requestsPerMinute: undefined,
  eventsPerMinute: undefined,
};

/** Whether a principal may do such a thing at all. */
export const hasScope = ({ scopes }: Principal, scope: Scope): boolean =>
  scopes.has(scope) || scopes.has("admin");

/** Whether an account is among those that a principal is for. */
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
