import type { Socket } from "node:net";

import { makeShares } from "../../../core/fair/shares.ts";

/** How often unread responses are checked. */
const CHECK_MS = 250;

export interface UnreadAnswersOptions {
  /** All open connections. */
  readonly sockets: Iterable<Socket>;
  /** The most bytes that may wait to be sent on all connections together. */
  readonly bytesMax: number;
  /** The client of a connection. No client may have more bytes waiting than are left free. */
  readonly clientOf: (socket: Socket) => string;
  /** Called for each connection that is closed for it. */
  readonly onClosed: () => void;
}

/**
 * Bounds the memory of responses that clients do not read, up to a megabyte on each connection.
 * Checks periodically, so that a response that is read costs nothing, and closes connections beyond
 * a client's share, newest first.
 *
 * @returns a function that stops it
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
