import { createInterface } from "node:readline/promises";

import { Effect, Option } from "effect";

import { deadLetterBody, deadLettersBody } from "../../adapters/koa/routes/dead_letters.ts";
import { EXIT_FAILED } from "../../adapters/terminal/command_line.ts";
import { printable } from "../../core/printable.ts";
import type { DeadLetters as Port } from "../../core/queue/dead_letters.ts";
import { plural } from "../shared/format.ts";

type DeadLetters = Port["Service"];

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

/** Escapes what clients sent: this may be a terminal. */
const sayJson = (value: unknown): void => {
  say(JSON.stringify(value, null, 2).split("\n").map(printable).join("\n"));
};

/** Prints the oldest dead letters, as a table or as JSON. */
export const listDeadLetters = async (
  letters: DeadLetters,
  limit: number,
  json: boolean,
): Promise<number> => {
  // One more than the limit shows whether there are more.
  const found = await Effect.runPromise(letters.list(limit + 1));
  const { dead_letters: listed } = deadLettersBody(found.slice(0, limit), false);
  if (json) {
    sayJson(listed);
    return 0;
  }
  if (listed.length === 0) {
    say("No dead letters.");
    return 0;
  }
  say(row("JOB", "DIED", "RETRIES", "EVENTS", "FAILURE"));
  for (const { id, died_at, retries, events, failure } of listed) {
    say(row(id, died_at, String(retries), String(events ?? "?"), oneLine(failure ?? "")));
  }
  say(
    `${found.length > limit ? `The oldest ${limit} dead letters` : plural(listed.length, "dead letter")}. ` +
      "npm run deadletters -- --help shows what to do with them.",
  );
  return 0;
};

const row = (job: string, died: string, retries: string, events: string, failure: string) =>
  [job.padEnd(36), died.padEnd(24), retries.padStart(7), events.padStart(6), failure].join("  ");

const FAILURE_CHARACTERS_MAX = 120;

const oneLine = (text: string): string =>
  printable(text.replaceAll(/[\s\p{Cc}]+/gu, " ").slice(0, FAILURE_CHARACTERS_MAX));

/** Prints a dead letter with its events as the client sent them, like `GET /dead-letters/:id`. */
export const showDeadLetter = async (letters: DeadLetters, id: string): Promise<number> => {
  const content = await Effect.runPromise(letters.find(id));
  if (Option.isNone(content)) return notFound(id);
  const { jobs, payload } = content.value;
  sayJson({
    ...deadLetterBody(content.value),
    ...(jobs === undefined ? { unreadable: payload } : {}),
  });
  return 0;
};

const notFound = (id: string): number => {
  process.stderr.write(`Dead letter ${id} does not exist.\n`);
  return EXIT_FAILED;
};

const DONE = { redrive: "redriven", drop: "dropped" } as const;

/** Asks for confirmation, and then drops the dead letters that existed when it asked. */
export const dropAllIfConfirmed = async (
  letters: DeadLetters,
  ask: (question: string) => Promise<string> = askOnTerminal,
): Promise<number> => {
  const found = await Effect.runPromise(letters.list(Number.MAX_SAFE_INTEGER));
  if (found.length === 0) {
    say("No dead letters.");
    return 0;
  }
  const events = found.reduce((sum, letter) => sum + (letter.events ?? 0), 0);
  const answer = await ask(
    `Drop all ${plural(found.length, "dead letter")}? Their ${plural(events, "accepted event")} will never be counted. [y/N] `,
  );
  if (!/^y(?:es)?$/i.test(answer.trim())) {
    say("Nothing was dropped.");
    return EXIT_FAILED;
  }
  return onEach(
    letters,
    "drop",
    found.map(({ id }) => id),
  );
};

/** Returns the answer, which is empty if the input ends. */
const askOnTerminal = async (question: string): Promise<string> => {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const closed = new Promise<string>((resolve) => {
    terminal.once("close", () => resolve(""));
  });
  try {
    return await Promise.race([terminal.question(question), closed]);
  } finally {
    terminal.close();
  }
};

/** Redrives or drops these dead letters, or all. An unknown id does not stop the others. */
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
