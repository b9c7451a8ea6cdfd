import { Effect } from "effect";

import { type Configuration, type Role } from "./configuration.ts";
import { logFormat } from "./logger.ts";

/** Says where the service listens and, if it has the API, how to try it. */
export const welcome = (configuration: Configuration, url: string): Effect.Effect<void> => {
  const { ROLES, DATABASE_URL, DATA_DIR } = configuration;
  const roles = [...ROLES].join(", ");
  const database = DATABASE_URL === undefined ? `embedded, under ${DATA_DIR}` : "DATABASE_URL";
  const commands = examples(url, ROLES);
  if (logFormat(configuration) === "json") {
    return Effect.annotateLogs(Effect.logInfo(`Tidemark listens on ${url}`), {
      url,
      roles,
      database,
      try: commands,
    });
  }
  return Effect.sync(() => {
    process.stdout.write(
      `\nTidemark listens on ${url} (roles: ${roles}; database: ${database})\n\n` +
        commands.map((command) => `  ${command}\n`).join("") +
        "\n",
    );
  });
};

const examples = (url: string, roles: ReadonlySet<Role>): ReadonlyArray<string> => {
  if (!roles.has("api")) return [];
  const event = {
    event_id: "e1",
    account_id: "acme",
    user_id: "ada",
    type: "login",
    timestamp: new Date().toISOString(),
  };
  const body = JSON.stringify({ events: [event] });
  return [
    `curl -X POST ${url}/events -H 'Content-Type: application/json' -d '${body}'`,
    `curl '${url}/accounts/acme/summary?window=last_24h'`,
  ];
};
