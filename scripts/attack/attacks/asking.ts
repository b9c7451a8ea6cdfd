import { randomBytes } from "node:crypto";

import { API_KEY_BYTES, formatApiKey, newApiKey } from "../../../core/access/api_key.ts";
import type { Attack } from "../attack.ts";
import { converse, get, pipeline, swarm } from "../tactics.ts";

/** Attacks without any key. */
export const askingAttacks: ReadonlyArray<Attack> = [
  {
    name: "readyz",
    about: "GET /readyz without a key, pipelined on six connections",
    run: (arms) => pipeline(arms, 6, () => get(arms.target, "/readyz")),
  },
  {
    name: "public-paths",
    about:
      "GET /healthz, /docs, /openapi.json and paths that are not there, pipelined without a key on eight connections",
    run: (arms) => {
      const paths = ["/healthz", "/docs", "/openapi.json", "/nowhere"];
      return pipeline(arms, 8, (index) => get(arms.target, paths[index % paths.length] ?? "/"));
    },
  },
  {
    name: "bad-keys",
    about: "guesses keys on 20 connections, each time another one",
    run: (arms) =>
      swarm(arms, 20, (wire) =>
        converse(arms, wire, () => {
          const guess = formatApiKey(newApiKey(randomBytes(API_KEY_BYTES)));
          return get(arms.target, "/accounts/anybody/summary", guess);
        }),
      ),
  },
];
