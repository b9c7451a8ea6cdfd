import type { Arms, Target } from "./attack.ts";
import type { Wire } from "./wire.ts";

/** The pause before a closed connection is replaced, which bounds the load of the attacker itself. */
const REOPEN_MS = 20;

/** Uses this many connections concurrently, and replaces each that is done or closed. */
export const swarm = async (
  arms: Arms,
  connections: number,
  use: (wire: Wire, index: number) => Promise<void>,
): Promise<void> => {
  const keep = async (index: number): Promise<void> => {
    while (!arms.isOver()) {
      const wire = await arms.wires.open();
      if (wire !== undefined) {
        await use(wire, index);
        wire.close();
      }
      await arms.pause(REOPEN_MS);
    }
  };
  await Promise.all(Array.from({ length: arms.some(connections) }, (_, index) => keep(index)));
};

/** Sends requests on this many connections, one after another on each, and waits for every answer. */
export const converse = (
  arms: Arms,
  connections: number,
  next: (connection: number) => Uint8Array | string,
  pauseMs = 0,
): Promise<void> =>
  swarm(arms, connections, async (wire, index) => {
    while (!arms.isOver() && wire.isOpen()) {
      await wire.send(next(index));
      if ((await wire.answer()) === undefined) return;
      if (pauseMs > 0) await arms.pause(pauseMs);
    }
  });

/** The most requests that are sent without waiting for answers. */
const BURST_MAX = 50;

/**
 * Pipelines a request on this many connections in bursts. If the service closes a connection because of that, the
 * bursts are half as long from then on.
 */
export const pipeline = (
  arms: Arms,
  connections: number,
  request: (index: number) => string,
): Promise<void> => {
  let burst = BURST_MAX;
  return swarm(arms, connections, async (wire, index) => {
    while (!arms.isOver() && wire.isOpen()) {
      const size = burst;
      await wire.send(request(index).repeat(size));
      for (let i = 0; i < size; i++) {
        if ((await wire.answer()) !== undefined) continue;
        // Many connections may close at the same time; only the first halves the burst.
        if (burst === size) burst = Math.max(1, Math.floor(size / 2));
        return;
      }
    }
  });
};

/** A GET request. */
export const get = ({ host }: Target, path: string, key?: string): string =>
  `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${
    key === undefined ? "" : `Authorization: Bearer ${key}\r\n`
  }\r\n`;

/** The head of a `POST /events`, including the empty line. */
export const postHead = (
  { host, key }: Target,
  framing: string,
  encoding?: "gzip" | "br" | "deflate",
): string =>
  `POST /events HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${key}\r\n` +
  `Content-Type: application/json\r\n${
    encoding === undefined ? "" : `Content-Encoding: ${encoding}\r\n`
  }${framing}\r\n\r\n`;

/** A complete `POST /events`. */
export const post = (
  target: Target,
  body: Uint8Array | string,
  encoding?: "gzip" | "br" | "deflate",
): Buffer => {
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  return Buffer.concat([
    Buffer.from(postHead(target, `Content-Length: ${bytes.length}`, encoding)),
    bytes,
  ]);
};
