/** Settings of a database session, by name. */
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
 * The settings of every session of ours, whatever the role, the database, the server or the URL
 * say: mostly Postgres's defaults, for everything that changes a result, a text format, a plan that
 * the tests pin, or the result of a migration. Operators can set the rest: memory (`work_mem`),
 * parallel workers, durability (`synchronous_commit`, which is checked at start), logging, and
 * `default_transaction_read_only`, which some hosts set on a full disk and which is respected
 * (`DatabaseReadOnly`).
 */
export const SESSION: SessionSettings = {
  // Text formats.
  DateStyle: "ISO, MDY",
  IntervalStyle: "postgres",
  TimeZone: "UTC",
  bytea_output: "hex",
  extra_float_digits: "1",
  lc_monetary: "C",
  lc_numeric: "C",
  lc_time: "C",
  xmloption: "content",
  // The meaning of SQL.
  array_nulls: "on",
  backslash_quote: "safe_encoding",
  quote_all_identifiers: "off",
  row_security: "on",
  search_path: "public",
  standard_conforming_strings: "on",
  transform_null_equals: "off",
  default_transaction_deferrable: "off",
  default_transaction_isolation: "read committed",
  // The results of migrations.
  check_function_bodies: "on",
  default_table_access_method: "heap",
  // Otherwise every error would end its session.
  exit_on_error: "off",
  // Timeouts: pools set one for their own statements. Five minutes for an idle transaction, because
  // that of a hung client would hold back vacuum forever.
  idle_in_transaction_session_timeout: "300000",
  idle_session_timeout: "0",
  lock_timeout: "0",
  statement_timeout: "0",
  // Plans: the methods, and the costs that decide between them.
  constraint_exclusion: "partition",
  cpu_index_tuple_cost: "0.005",
  cpu_operator_cost: "0.0025",
  cpu_tuple_cost: "0.01",
  cursor_tuple_fraction: "0.1",
  default_statistics_target: "100",
  // 4 GiB, in blocks. With little of it the planner avoids the log's indexes.
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
  // With the default of 4 the planner avoids the log's indexes.
  random_page_cost: "1.1",
  recursive_worktable_factor: "10",
  seq_page_cost: "1",
  ...Object.fromEntries(PLANNER_METHODS.map((method) => [`enable_${method}`, "on"])),
};

/** Session settings as a connection option, which costs no round trip. */
const sessionOptions = (settings: SessionSettings): string =>
  Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value.replaceAll(/[\\\s]/g, String.raw`\$&`)}`)
    .join(" ");

/** The session settings that a URL can contain. `pg` would prefer them to the service's. */
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
 * Gives the sessions of a connection string our settings: adds `SESSION` and `settings` after its
 * own `options`, so that ours win, and removes its other session settings.
 */
export const withSession = (url: string, settings: SessionSettings = {}): string => {
  // Nobody can connect to it, and the attempt gives a better error.
  if (!URL.canParse(url)) return url;
  // `pg` accepts a stray %, but then encodes the whole URL a second time, with our options.
  const own = new URL(url.replaceAll(/%(?![0-9a-f]{2})/gi, "%25"));
  for (const name of PARAMETERS_OF_SESSION) own.searchParams.delete(name);
  const options = sessionOptions({ ...SESSION, ...settings });
  const given = own.searchParams.get("options");
  own.searchParams.set("options", given === null ? options : `${given} ${options}`);
  return own.href;
};

/** The settings of `SESSION` that a session lacks. `settings` are as in `pg_settings`. */
export const lostSettings = (settings: ReadonlyMap<string, string>): ReadonlyArray<string> =>
  Object.entries(SESSION)
    .filter(([name, value]) => {
      const has = settings.get(name);
      // An older server may not have the setting.
      return has !== undefined && has !== value;
    })
    .map(([name]) => name);

/** The first Postgres with `transaction_timeout`; older ones refuse a connection that names it. */
const TRANSACTION_TIMEOUT_SINCE = 17;

/** The time limit of that statement, in milliseconds. */
const SET_TIMEOUT_MS = 2_000;

/**
 * The statement that makes the settings that a connection option cannot, given the version that the
 * server reports ("17.4"); undefined if there are none. It has its own time limit, because a pool
 * sets one only when it hands out a connection.
 */
export const settingsOnConnect = (
  serverVersion: string | undefined,
): { text: string; query_timeout: number } | undefined =>
  Number.parseInt(serverVersion ?? "", 10) >= TRANSACTION_TIMEOUT_SINCE
    ? { text: "set transaction_timeout = 0", query_timeout: SET_TIMEOUT_MS }
    : undefined;
