import { Effect, Option } from "effect";

import { printable } from "../../core/printable.ts";
import type { DeadLetter, DeadLetters as Port } from "../../core/queue/dead_letters.ts";

type DeadLetters = Port["Service"];

const EXIT_FAILED = 1;

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

/** What clients sent is in it, and this may be a terminal. */
const sayJson = (value: unknown): void => {
  say(JSON.stringify(value, null, 2).split("\n").map(printable).join("\n"));
};

const shown = (letter: DeadLetter) => ({
  job_id: letter.id,
  events: letter.events,
  retries: letter.retries,
  failure: letter.failure,
  queued_at: new Date(letter.queuedAt).toISOString(),
  died_at: new Date(letter.diedAt).toISOString(),
});

/** Prints the oldest dead letters, as a table or as JSON. */
export const listDeadLetters = async (
  letters: DeadLetters,
  limit: number,
  json: boolean,
): Promise<number> => {
  // One more than asked for, to know whether there are more.
  const found = await Effect.runPromise(letters.list(limit + 1));
  const listed = found.slice(0, limit).map(shown);
  if (json) {
    sayJson(listed);
    return 0;
  }
  if (listed.length === 0) {
    say("No dead letters.");
    return 0;
  }
  say(row("JOB", "DIED", "RETRIES", "EVENTS", "FAILURE"));
  for (const { job_id, died_at, retries, events, failure } of listed) {
    say(row(job_id, died_at, String(retries), String(events ?? "?"), oneLine(failure ?? "")));
  }
  say(
    `${found.length > limit ? `The oldest ${limit} dead letters` : `${listed.length} dead letters`}. ` +
      "See show, redrive and drop: npm run deadletters -- --help",
  );
  return 0;
};

const row = (job: string, died: string, retries: string, events: string, failure: string) =>
  [job.padEnd(36), died.padEnd(24), retries.padStart(7), events.padStart(6), failure].join("  ");

const FAILURE_CHARACTERS_MAX = 120;

const oneLine = (text: string): string =>
  printable(text.replaceAll(/[\s\p{Cc}]+/gu, " ").slice(0, FAILURE_CHARACTERS_MAX));

/** Prints a dead letter with its events. */
export const showDeadLetter = async (letters: DeadLetters, id: string): Promise<number> => {
  const content = await Effect.runPromise(letters.find(id));
  if (Option.isNone(content)) return notFound(id);
  const { letter, jobs, payload } = content.value;
  const held =
    jobs === undefined ? { unreadable: payload } : { batches: jobs.map(({ batch }) => batch) };
  sayJson({ ...shown(letter), ...held });
  return 0;
};

const notFound = (id: string): number => {
  process.stderr.write(`There is no dead letter ${id}.\n`);
  return EXIT_FAILED;
};

const DONE = { redrive: "put back into the queue", drop: "dropped" } as const;

/** Redrives or drops some dead letters, or all that there are now; goes on where one is not found. */
export const onEach = async (
  letters: DeadLetters,
  command: "redrive" | "drop",
  asked: ReadonlyArray<string> | "all",
): Promise<number> => {
  const ids =
    asked === "all"
      ? (await Effect.runPromise(letters.list(Number.MAX_SAFE_INTEGER))).map(({ id }) => id)
      : asked;
  let done = 0;
  let code = 0;
  for (const id of ids) {
    if (await Effect.runPromise(letters[command](id))) done++;
    else code = notFound(id);
  }
  say(`${done} ${DONE[command]}.`);
  return code;
};
