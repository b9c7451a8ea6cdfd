import type { Socket } from "node:net";

import { makeShares } from "../../../core/fair/shares.ts";

/** How often it is looked for answers that nobody reads, in milliseconds. */
const CHECK_MS = 250;

export interface UnreadAnswersOptions {
  /** All connections that are open. */
  readonly sockets: Iterable<Socket>;
  /** The most bytes that all connections together may have waiting to be sent. */
  readonly bytesMax: number;
  /** The client that a connection belongs to; one may have at most as many bytes waiting as are left free. */
  readonly clientOf: (socket: Socket) => string;
  /** Called for each connection that is closed. */
  readonly onClosed: () => void;
}

/**
 * Bounds the memory of answers that clients do not read: what the system does not take off a connection stays in memory, up to
 * a megabyte on each. It is looked for now and then, so that an answer that is read costs nothing, and connections beyond a
 * client's share are closed, the newest first.
 *
 * @returns what ends it
 */
export const boundUnreadAnswers = (options: UnreadAnswersOptions): (() => void) => {
  const { sockets, bytesMax, clientOf, onClosed } = options;
  const check = (): void => {
    const shares = makeShares(bytesMax);
    for (const socket of sockets) {
      const waiting = socket.writableLength;
      if (waiting === 0 || shares.take(clientOf(socket), waiting) === undefined) continue;
      onClosed();
      socket.destroy();
    }
  };
  const timer = setInterval(check, CHECK_MS);
  timer.unref();
  return () => {
    clearInterval(timer);
  };
};
