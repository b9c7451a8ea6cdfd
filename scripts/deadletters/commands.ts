import { createInterface } from "node:readline/promises";

import { Effect, Option } from "effect";

import { deadLetterBody, deadLettersBody } from "../../adapters/koa/routes/dead_letters.ts";
import { EXIT_FAILED } from "../../adapters/terminal/command_line.ts";
import { printable } from "../../core/printable.ts";
import type { DeadLetters as Port } from "../../core/queue/dead_letters.ts";

type DeadLetters = Port["Service"];

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

/** What clients sent is in it, and this may be a terminal. */
const sayJson = (value: unknown): void => {
  say(JSON.stringify(value, null, 2).split("\n").map(printable).join("\n"));
};

/** Prints the oldest dead letters, as a table or as JSON. */
export const listDeadLetters = async (
  letters: DeadLetters,
  limit: number,
  json: boolean,
): Promise<number> => {
  // One more than asked for, to know whether there are more.
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
    `${found.length > limit ? `The oldest ${limit} dead letters` : many(listed.length, "dead letter")}. ` +
      "See show, redrive and drop: npm run deadletters -- --help",
  );
  return 0;
};

const row = (job: string, died: string, retries: string, events: string, failure: string) =>
  [job.padEnd(36), died.padEnd(24), retries.padStart(7), events.padStart(6), failure].join("  ");

const FAILURE_CHARACTERS_MAX = 120;

const oneLine = (text: string): string =>
  printable(text.replaceAll(/[\s\p{Cc}]+/gu, " ").slice(0, FAILURE_CHARACTERS_MAX));

/** Prints a dead letter with its events as they were sent, like `GET /dead-letters/:id`. */
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
  process.stderr.write(`There is no dead letter ${id}.\n`);
  return EXIT_FAILED;
};

const DONE = { redrive: "put back into the queue", drop: "dropped" } as const;

/** Asks whoever sits at the terminal, and drops all dead letters that there were then if they say yes. */
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
    `Drop all ${many(found.length, "dead letter")}, with ${many(events, "event")} accepted that would never be counted? [y/N] `,
  );
  if (!/^y(?:es)?$/i.test(answer.trim())) {
    say("Nothing is dropped.");
    return EXIT_FAILED;
  }
  return onEach(
    letters,
    "drop",
    found.map(({ id }) => id),
  );
};

const many = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** The answer of whoever sits at the terminal; empty when they end the input. */
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
