import { randomBytes } from "node:crypto";

import { API_KEY_BYTES, formatApiKey, newApiKey } from "../../../core/access/api_key.ts";
import { inTurn } from "../../testbed/choose.ts";
import type { Attack, Mix } from "../attack.ts";
import { converse, get, pipeline } from "../tactics.ts";
import { parsingAttacks } from "./parsing.ts";
import { readingAttacks } from "./reading.ts";
import { receivingAttacks } from "./receiving.ts";
import { writingAttacks } from "./writing.ts";

/** Attacks without a key. */
const keylessAttacks: ReadonlyArray<Attack> = [
  {
    name: "readyz",
    about: "GET /readyz without a key, pipelined on six connections",
    run: (arms) => pipeline(arms, 6, () => get(arms.target, "/readyz")),
  },
  {
    name: "public-paths",
    about:
      "GET /healthz, /docs, /openapi.json and unknown paths without a key, pipelined on eight connections",
    run: (arms) => {
      const paths = ["/healthz", "/docs", "/openapi.json", "/nowhere"];
      return pipeline(arms, 8, (index) => get(arms.target, inTurn(paths, index)));
    },
  },
  {
    name: "bad-keys",
    about: "guesses a new key with each request, on 20 connections",
    run: (arms) =>
      converse(arms, 20, () => {
        const guess = formatApiKey(newApiKey(randomBytes(API_KEY_BYTES)));
        return get(arms.target, "/accounts/anybody/summary", guess);
      }),
  },
];

/** Every attack, along the path of a request. */
export const ATTACKS: ReadonlyArray<Attack> = [
  ...receivingAttacks,
  ...parsingAttacks,
  ...keylessAttacks,
  ...writingAttacks,
  ...readingAttacks,
];

/** One attack of each kind concurrently, because each uses up another resource. */
export const MIX: Mix = {
  name: "mix",
  about:
    "chunks, numbers, large-events, readyz, bad-keys, flood and whale-reads concurrently, each at a third",
  parts: ["chunks", "numbers", "large-events", "readyz", "bad-keys", "flood", "whale-reads"],
  share: 1 / 3,
};
