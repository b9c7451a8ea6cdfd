import { Effect } from "effect";

import type { Configuration } from "./configuration.ts";

/** Says where the service listens and, if it has the API, how to try it. */
export const welcome = (configuration: Configuration, url: string): Effect.Effect<void> => {
  const { ROLES, DATABASE_URL, DATA_DIR, LOG_FORMAT } = configuration;
  const roles = [...ROLES].join(", ");
  const database = DATABASE_URL === undefined ? `embedded, under ${DATA_DIR}` : "DATABASE_URL";
  const commands = examples(configuration, url);
  if (LOG_FORMAT === "json") {
    return Effect.annotateLogs(Effect.logInfo(`Tidemark listens on ${url}`), {
      url,
      roles,
      database,
      try: commands,
    });
  }
  // For a person, who copies it: unless JSON alone was asked for, it is no log line.
  return Effect.sync(() => {
    process.stdout.write(
      `\nTidemark listens on ${url} (roles: ${roles}; database: ${database})\n\n` +
        commands.map((command) => `  ${command}\n`).join("") +
        "\n",
    );
  });
};

const examples = (
  { ROLES, EVENT_TYPES, AUTH }: Configuration,
  url: string,
): ReadonlyArray<string> => {
  if (!ROLES.has("api")) return [];
  const hasType = EVENT_TYPES === "*" || EVENT_TYPES.has(TYPE);
  const event = {
    event_id: "e1",
    account_id: "acme",
    user_id: "ada",
    type: hasType ? TYPE : [...EVENT_TYPES][0],
    timestamp: new Date().toISOString(),
  };
  const key = AUTH === "required" ? ' -H "Authorization: Bearer $KEY"' : "";
  const body = JSON.stringify({ events: [event] });
  return [
    `curl -X POST '${url}/events' -H 'Content-Type: application/json'${key} -d '${body}'`,
    `curl '${url}/accounts/acme/summary?window=last_24h'${key}`,
  ];
};

const TYPE = "login";
