import { Effect } from "effect";

import type { Configuration } from "./configuration.ts";
import { logFormat } from "./logger.ts";
import { type QuickStart, quickStart } from "./quick_start.ts";

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
  // For a person, who copies it.
  const invitation = commands.length === 0 ? [] : ["Try it in another terminal:", "", ...commands];
  return Effect.sync(() => {
    process.stdout.write(
      `\nTidemark listens on ${url} (roles: ${roles}; database: ${database})\n\n` +
        invitation.map((line) => (line === "" ? "\n" : `  ${line}\n`)).join("") +
        (invitation.length === 0 ? "" : "\n"),
    );
  });
};

const EXAMPLE_TYPE = "login";

const exampleType = (types: Configuration["EVENT_TYPES"]): string =>
  types === "*" || types.has(EXAMPLE_TYPE) ? EXAMPLE_TYPE : ([...types][0] ?? EXAMPLE_TYPE);
