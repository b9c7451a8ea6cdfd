import { gzipSync } from "node:zlib";

import { inTurn } from "../../testbed/choose.ts";
import type { Arms, Attack } from "../attack.ts";
import { exponents, largeEvents, longText, unsortedKeys, wideArray } from "../bodies.ts";
import { converse, post, swarm } from "../tactics.ts";

/** How many bodies are prepared and sent in turn. */
const PREPARED = 8;

/** Posts a few compressed bodies on many connections. With `leaveAfterMs` it disconnects before the answer. */
const postPrepared = async (
  arms: Arms,
  connections: number,
  make: (index: number) => string,
  leaveAfterMs?: number,
): Promise<void> => {
  const requests = Array.from({ length: PREPARED }, (_, i) =>
    post(arms.target, gzipSync(make(i)), "gzip"),
  );
  let turn = 0;
  const next = (): Buffer => inTurn(requests, turn++);
  if (leaveAfterMs === undefined) return converse(arms, connections, next);
  await swarm(arms, connections, async (wire) => {
    await wire.send(next());
    await arms.pause(leaveAfterMs);
  });
};

/** Attacks on the time and memory of parsing and validation. */
export const parsingAttacks: ReadonlyArray<Attack> = [
  {
    name: "numbers",
    about:
      "a kilobyte of gzip that inflates to a mebibyte of 1e1 as events, repeated on 60 connections",
    run: (arms) => postPrepared(arms, 60, exponents),
  },
  {
    name: "numbers-left",
    about: "the same, disconnecting after 50 ms without an answer",
    run: (arms) => postPrepared(arms, 60, exponents, 50),
  },
  {
    name: "wide",
    about:
      "valid events whose metadata has 16,000 numbers or 4,000 unsorted keys, on 60 connections",
    run: (arms) =>
      postPrepared(arms, 60, (i) =>
        largeEvents(
          `${arms.target.accountPrefix}wide-${i}`,
          i % 2 === 0 ? wideArray() : unsortedKeys(),
        ),
      ),
  },
  {
    name: "large-events",
    about: "new valid events of 32 KiB each, compressed a thousandfold, 60 requests a second",
    run: (arms) => {
      const metadata = longText();
      const account = `${arms.target.accountPrefix}large`;
      const next = (): Buffer =>
        post(arms.target, gzipSync(largeEvents(account, metadata), { level: 1 }), "gzip");
      return converse(arms, 30, next, 500);
    },
  },
];
