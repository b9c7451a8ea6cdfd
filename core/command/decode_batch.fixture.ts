import type { Result } from "effect";

import { type Batch, collapse } from "../event/batch.ts";
import { decodeEvent, type Issue, type SentTexts } from "../event/decode.ts";
import type { EventRules } from "../event/rules.ts";
import {
  countExactly,
  ExactObject,
  readExactly,
  writeExactly,
} from "../json/exact_json.fixture.ts";
import { parseMarked } from "../json/parse.fixture.ts";
import { decodeStrictly } from "../utf8.fixture.ts";
import { batchDecoding } from "./decode_batch.ts";
import type { BatchRejected } from "./errors.ts";

/**
 * The simplest definition of decoding: the text is parsed as a whole, and its events are decoded one after the other.
 * Returns the batch, or why there is none.
 */
export const decodeWhole = (bytes: Uint8Array, rules: EventRules, now: number): Batch | string => {
  const text = decodeStrictly(bytes);
  if (text === undefined) return "JsonMalformed";
  let input: unknown;
  try {
    input = parseMarked(text);
  } catch {
    return "JsonMalformed";
  }
  if (typeof input !== "object" || input === null || Array.isArray(input)) return "BatchMalformed";
  const { events } = input as { readonly events?: unknown };
  if (!Array.isArray(events) || Object.keys(input).length > 1) return "BatchMalformed";
  if (events.length === 0) return "BatchEmpty";
  const sent = sentTexts(text);
  const issues: Issue[] = [];
  const decoded = events.map((event, i) => decodeEvent(event, i, rules, now, issues, sent));
  if (issues.length > 0) {
    return issues
      .slice(0, 100)
      .map(({ index, path, message }) => `${index} ${path} ${message}`)
      .join("\n");
  }
  return collapse(decoded.filter((event) => event !== undefined));
};

/** The texts of the events of a body, with their tokens counted by an independent parser. */
const sentTexts = (text: string): SentTexts => {
  const root = readExactly(text);
  const events = root instanceof ExactObject ? root.all("events").flat() : [];
  return {
    tokensOf: (index) => countExactly(events[index] ?? null),
    textOf: (index) => writeExactly(events[index] ?? null),
  };
};

/** The service's result for a body in the same form, and the number of steps. */
export const decodeInSteps = (
  bytes: Uint8Array,
  rules: EventRules,
  now: number,
): readonly [Result.Result<Batch, BatchRejected>, number] => {
  const work = batchDecoding(bytes, rules, now);
  for (let steps = 1; ; steps++) {
    const result = work();
    if (result !== undefined) return [result, steps];
  }
};
