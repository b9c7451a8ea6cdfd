import { gzipSync } from "node:zlib";

import type { Arms, Attack } from "../attack.ts";
import { exponents, largeEvents, longText, unsortedKeys, wideArray } from "../bodies.ts";
import { converse, post, swarm } from "../tactics.ts";

/** How many bodies are made ahead and sent in turn. */
const PREPARED = 8;

/** Posts the same few compressed bodies on many connections; `leaveAfterMs` goes without the answer. */
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
  const next = (): Buffer => requests[turn++ % PREPARED] ?? Buffer.alloc(0);
  await swarm(arms, connections, async (wire) => {
    if (leaveAfterMs === undefined) {
      await converse(arms, wire, next);
    } else {
      await wire.send(next());
      await arms.pause(leaveAfterMs);
    }
  });
};

/** Attacks on the time that parsing and checking take, and on what is kept of it. */
export const parsingAttacks: ReadonlyArray<Attack> = [
  {
    name: "numbers",
    about:
      "a kilobyte of gzip that is a mebibyte of 1e1 in events, on 60 connections, again and again",
    run: (arms) => postPrepared(arms, 60, exponents),
  },
  {
    name: "numbers-left",
    about: "the same, each left after 50 ms without its answer",
    run: (arms) => postPrepared(arms, 60, exponents, 50),
  },
  {
    name: "wide",
    about:
      "valid events with arrays of 16,000 numbers or 4,000 unsorted keys as metadata, on 60 connections",
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
    run: async (arms) => {
      const metadata = longText();
      const account = `${arms.target.accountPrefix}large`;
      await swarm(arms, 30, (wire) =>
        converse(
          arms,
          wire,
          () => post(arms.target, gzipSync(largeEvents(account, metadata), { level: 1 }), "gzip"),
          500,
        ),
      );
    },
  },
];
