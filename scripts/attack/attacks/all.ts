import type { Attack, Mix } from "../attack.ts";
import { askingAttacks } from "./asking.ts";
import { parsingAttacks } from "./parsing.ts";
import { readingAttacks } from "./reading.ts";
import { receivingAttacks } from "./receiving.ts";
import { writingAttacks } from "./writing.ts";

/** Every attack, along the path of a request. */
export const ATTACKS: ReadonlyArray<Attack> = [
  ...receivingAttacks,
  ...parsingAttacks,
  ...askingAttacks,
  ...writingAttacks,
  ...readingAttacks,
];

/** One attack of each kind at once: what each holds is another resource. */
export const MIX: Mix = {
  name: "mix",
  about:
    "chunks, numbers, large-events, readyz, bad-keys, flood and whale-reads at once, a third of each",
  parts: ["chunks", "numbers", "large-events", "readyz", "bad-keys", "flood", "whale-reads"],
  share: 1 / 3,
};
