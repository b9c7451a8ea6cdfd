import { Effect } from "effect";

import type { Configuration } from "./configuration.ts";
import { logFormat } from "./logger.ts";

/** What the commands of the quick start depend on. */
export interface QuickStart {
  /** Where the service listens. */
  readonly url: string;
  /** An event type that it accepts. */
  readonly type: string;
  /** Whether every request needs an API key. */
  readonly needsKey: boolean;
}

/** Says where the service listens and, if it has the API, which commands to try. */
export const welcome = (
  configuration: Configuration,
  { url, needsKey }: Pick<QuickStart, "url" | "needsKey">,
): Effect.Effect<void> => {
  const { ROLES, DATABASE_URL, DATA_DIR, EVENT_TYPES } = configuration;
  const roles = [...ROLES].join(", ");
  const database = DATABASE_URL === undefined ? `embedded, in ${DATA_DIR}` : "DATABASE_URL";
  const type = exampleType(EVENT_TYPES);
  const commands = ROLES.has("api") ? quickStart({ url, type, needsKey }) : [];
  if (logFormat(configuration) === "json") {
    return Effect.annotateLogs(Effect.logInfo(`Tidemark listens on ${url}`), {
      url,
      roles,
      database,
      try: commands.length === 0 ? undefined : commands,
    });
  }
  // A person copies them, so they are printed and not logged.
  const invitation = commands.length === 0 ? [] : ["Try it in another terminal:", "", ...commands];
  return Effect.sync(() => {
    process.stdout.write(
      `\nTidemark listens on ${url} (roles: ${roles}; database: ${database})\n\n` +
        invitation.map((line) => (line === "" ? "\n" : `  ${line}\n`)).join("") +
        (invitation.length === 0 ? "" : "\n"),
    );
  });
};

/**
 * The first commands to try: record an event, and read the summary that counts it. The README shows
 * the same ones. The shell that runs them inserts a new id and the current time, so that they can
 * be run again at any time.
 */
export const quickStart = ({ url, type, needsKey }: QuickStart): ReadonlyArray<string> => {
  const key = needsKey ? ' -H "Authorization: Bearer $KEY"' : "";
  const event =
    `{"event_id":"login-'$(date +%s)-$RANDOM'","account_id":"acme","user_id":"ada",` +
    `"type":"${type}","timestamp":"'$(date -u +%FT%TZ)'"}`;
  return [
    ...(needsKey ? ["KEY=$(npm run -s keys -- create --scope write,read)"] : []),
    `curl ${url}/events -H 'Content-Type: application/json'${key} -d '{"events":[${event}]}'`,
    `curl '${url}/accounts/acme/summary?window=last_24h'${key}`,
  ];
};

const EXAMPLE_TYPE = "login";

const exampleType = (types: Configuration["EVENT_TYPES"]): string =>
  types === "*" || types.has(EXAMPLE_TYPE) ? EXAMPLE_TYPE : ([...types][0] ?? EXAMPLE_TYPE);
