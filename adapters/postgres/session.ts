/** Settings of a database session, by their names. */
export type SessionSettings = Readonly<Record<string, string>>;

const PLANNER_METHODS = [
  "async_append",
  "bitmapscan",
  "gathermerge",
  "hashagg",
  "hashjoin",
  "incremental_sort",
  "indexonlyscan",
  "indexscan",
  "material",
  "memoize",
  "mergejoin",
  "nestloop",
  "parallel_append",
  "parallel_hash",
  "partition_pruning",
  "seqscan",
  "sort",
  "tidscan",
];

/**
 * What every session of ours is set to, whatever the role, the database, the server or the URL say: mostly Postgres's
 * defaults, for everything that changes an answer, a text that we read, a plan that the tests pin, or what a migration makes.
 * What is left to operators: memory (`work_mem`), parallel workers, durability (`synchronous_commit`, which is checked at start), logging,
 * and `default_transaction_read_only`, which some hosts set on a full disk and which is heeded (`DatabaseReadOnly`).
 */
export const SESSION: SessionSettings = {
  // Formats of what is read and written.
  DateStyle: "ISO, MDY",
  IntervalStyle: "postgres",
  TimeZone: "UTC",
  bytea_output: "hex",
  extra_float_digits: "1",
  lc_monetary: "C",
  lc_numeric: "C",
  lc_time: "C",
  xmloption: "content",
  // What SQL means.
  array_nulls: "on",
  backslash_quote: "safe_encoding",
  quote_all_identifiers: "off",
  row_security: "on",
  search_path: "public",
  standard_conforming_strings: "on",
  transform_null_equals: "off",
  default_transaction_deferrable: "off",
  default_transaction_isolation: "read committed",
  // What migrations make.
  check_function_bodies: "on",
  default_table_access_method: "heap",
  // Or every error would end its session.
  exit_on_error: "off",
  // Whose time is up is for us to say: pools set a time-out for statements of their own.
  // Sessions of a hung client would hold back vacuum for ever: five minutes.
  idle_in_transaction_session_timeout: "300000",
  idle_session_timeout: "0",
  lock_timeout: "0",
  statement_timeout: "0",
  // Plans. Of costs those that choose between plans.
  constraint_exclusion: "partition",
  cpu_index_tuple_cost: "0.005",
  cpu_operator_cost: "0.0025",
  cpu_tuple_cost: "0.01",
  cursor_tuple_fraction: "0.1",
  default_statistics_target: "100",
  // 4 GiB, in blocks. With little the planner shuns the log's indexes.
  effective_cache_size: "524288",
  enable_partitionwise_aggregate: "off",
  enable_partitionwise_join: "off",
  from_collapse_limit: "8",
  geqo: "on",
  geqo_threshold: "12",
  join_collapse_limit: "8",
  min_parallel_index_scan_size: "64",
  min_parallel_table_scan_size: "1024",
  parallel_setup_cost: "1000",
  parallel_tuple_cost: "0.1",
  plan_cache_mode: "auto",
  // The default of 4 makes the planner shun the log's indexes.
  random_page_cost: "1.1",
  recursive_worktable_factor: "10",
  seq_page_cost: "1",
  ...Object.fromEntries(PLANNER_METHODS.map((method) => [`enable_${method}`, "on"])),
};

/** Session settings as an option of the connection, so that they cost no round trip. */
const sessionOptions = (settings: SessionSettings): string =>
  Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value.replaceAll(/[\\\s]/g, String.raw`\$&`)}`)
    .join(" ");

/** What a URL can say of a session. `pg` would let it win over what the service says. */
const PARAMETERS_OF_SESSION = [
  "application_name",
  "client_encoding",
  "fallback_application_name",
  "idle_in_transaction_session_timeout",
  "lock_timeout",
  "query_timeout",
  "statement_timeout",
];

/**
 * A connection string whose sessions are ours: with `SESSION` and `settings` behind what its own `options` say, so that
 * ours win, and without the other settings of a session that it names.
 */
export const withSession = (url: string, settings: SessionSettings = {}): string => {
  // Not a URL that anybody could connect to: whoever does says so better.
  if (!URL.canParse(url)) return url;
  // `pg` takes a stray % as it is, and then encodes all of the URL a second time, our options too.
  const own = new URL(url.replaceAll(/%(?![0-9a-f]{2})/gi, "%25"));
  for (const name of PARAMETERS_OF_SESSION) own.searchParams.delete(name);
  const options = sessionOptions({ ...SESSION, ...settings });
  const given = own.searchParams.get("options");
  own.searchParams.set("options", given === null ? options : `${given} ${options}`);
  return own.href;
};

/** Those of `SESSION` that a session has otherwise. `settings` are as `pg_settings` shows them. */
export const lostSettings = (settings: ReadonlyMap<string, string>): ReadonlyArray<string> =>
  Object.entries(SESSION)
    .filter(([name, value]) => {
      const has = settings.get(name);
      // A server that has no such setting has nothing to lose.
      return has !== undefined && has !== value;
    })
    .map(([name]) => name);

/** The first version of Postgres with `transaction_timeout`, which no older one lets a connection name. */
const TRANSACTION_TIMEOUT_SINCE = 17;

/** How long it may take to set what is left, in milliseconds. */
const SET_TIMEOUT_MS = 2_000;

/**
 * The statement that sets what is left on a new connection, given the server's version as it tells it ("17.4"); undefined for
 * nothing. It has a time limit of its own, because a pool has set none for a connection that it has not handed out yet.
 */
export const settingsOnConnect = (
  serverVersion: string | undefined,
): { text: string; query_timeout: number } | undefined =>
  Number.parseInt(serverVersion ?? "", 10) >= TRANSACTION_TIMEOUT_SINCE
    ? { text: "set transaction_timeout = 0", query_timeout: SET_TIMEOUT_MS }
    : undefined;
