import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";

import { inTurn } from "../../testbed/choose.ts";
import type { Attack } from "../attack.ts";
import { BODY_BYTES_MAX, smallEvents, spaces } from "../bodies.ts";
import { converse, get, post, postHead, swarm } from "../tactics.ts";

/** A chunk with one byte of a body, and the number of chunks: less than the body limit. */
const CHUNK = "1\r\n \r\n";
const CHUNKS = 900_000;
const CHUNKS_A_WRITE = 3_000;

/** As much memory as a small batch of another client needs. */
const LITTLE_BYTES = 500;

/** How long an attacker keeps a connection open after it has sent everything. */
const HOLD_MS = 5_000;

/** Attacks on connections, headers and incomplete bodies. */
export const receivingAttacks: ReadonlyArray<Attack> = [
  {
    name: "chunks",
    about: "bodies of 900,000 one-byte chunks that never end, on ten connections",
    run: (arms) =>
      swarm(arms, 10, async (wire) => {
        await wire.send(postHead(arms.target, "Transfer-Encoding: chunked"));
        const part = Buffer.from(CHUNK.repeat(CHUNKS_A_WRITE));
        for (let sent = 0; sent < CHUNKS && wire.isOpen(); sent += CHUNKS_A_WRITE) {
          await wire.send(part);
        }
        await Promise.race([wire.closed, arms.pause(HOLD_MS)]);
      }),
  },
  {
    name: "inflate",
    about:
      "bodies of a kilobyte that inflate to a mebibyte (gzip, brotli, deflate), on 600 connections",
    run: (arms) => {
      const text = spaces(`${arms.target.accountPrefix}inflate`);
      const requests = [
        post(arms.target, gzipSync(text), "gzip"),
        post(arms.target, brotliCompressSync(text), "br"),
        post(arms.target, deflateSync(text), "deflate"),
      ];
      return converse(arms, 600, (connection) => inTurn(requests, connection));
    },
  },
  {
    name: "pipelined-bodies",
    about: "1.8 MB of such bodies pipelined on one connection, without reading the answers",
    run: (arms) => {
      const request = post(
        arms.target,
        gzipSync(spaces(`${arms.target.accountPrefix}pipelined`)),
        "gzip",
      );
      const burst = Buffer.concat(
        Array.from({ length: Math.ceil(1_800_000 / request.length) }, () => request),
      );
      return swarm(arms, 1, async (wire) => {
        wire.stopReading();
        await wire.send(burst);
        await Promise.race([wire.closed, arms.pause(HOLD_MS)]);
      });
    },
  },
  {
    name: "stalled-bodies",
    about:
      "200 connections that send most of a body and 200 that send a little of one, then a byte a second",
    run: async (arms) => {
      const stall = (bytes: number) =>
        swarm(arms, 200, async (wire) => {
          await wire.send(postHead(arms.target, `Content-Length: ${BODY_BYTES_MAX}`));
          await wire.send(Buffer.alloc(bytes, " "));
          while (!arms.isOver() && wire.isOpen()) {
            await arms.pause(1_000);
            await wire.send(" ");
          }
        });
      await Promise.all([stall(Math.floor(BODY_BYTES_MAX * 0.9)), stall(LITTLE_BYTES)]);
    },
  },
  {
    name: "connections",
    about: "opens up to 12,000 connections, sends nothing, and replaces those that are closed",
    run: async (arms) => {
      const keep = async (): Promise<void> => {
        while (!arms.isOver()) {
          const wire = await arms.wires.open();
          await wire?.closed;
          await arms.pause(1_000);
        }
      };
      // A few at a time, so that they fit into the backlog of the listening socket.
      const keeping: Array<Promise<void>> = [];
      while (keeping.length < arms.some(12_000) && !arms.isOver()) {
        for (let i = 0; i < 100; i++) keeping.push(keep());
        await arms.pause(20);
      }
      await Promise.all(keeping);
    },
  },
  {
    name: "churn",
    about: "a new connection for each request, 20 at a time",
    run: (arms) => {
      const request = get(
        arms.target,
        `/accounts/${arms.target.accountPrefix}churn/summary`,
        arms.target.key,
      );
      return swarm(arms, 20, async (wire) => {
        await wire.send(request);
        await wire.answer();
      });
    },
  },
  {
    name: "headers",
    about:
      "the largest headers on 50 connections, and a byte of a header each second on 500 others",
    run: async (arms) => {
      const filler = Array.from({ length: 60 }, (_, i) => `X-${i}: ${"x".repeat(200)}\r\n`).join(
        "",
      );
      const large = get(arms.target, "/accounts/none/summary", arms.target.key).replace(
        /\r\n\r\n$/,
        `\r\n${filler}\r\n`,
      );
      await Promise.all([
        converse(arms, 50, () => large),
        swarm(arms, 500, async (wire) => {
          await wire.send("POST /events HTTP/1.1\r\nHost: tidemark\r\nX-Slow: ");
          while (!arms.isOver() && wire.isOpen()) {
            await arms.pause(1_000);
            await wire.send("x");
          }
        }),
      ]);
    },
  },
  {
    name: "leaving-senders",
    about: "posts of 1,000 events on 50 connections, disconnecting before the answer",
    run: (arms) =>
      swarm(arms, 50, async (wire) => {
        const body = smallEvents(1_000, () => `${arms.target.accountPrefix}left`);
        await wire.send(post(arms.target, body));
        await arms.pause(Math.random() * 50);
      }),
  },
];
