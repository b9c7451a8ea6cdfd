import { connect, type Socket } from "node:net";

import { makeAnswers } from "./answers.ts";
import type { Tally } from "./tally.ts";

/** A raw connection to the service. Nothing of it throws: a connection that is gone takes bytes and gives none. */
export interface Wire {
  /** Sends bytes; returns when there is room for more, or the connection is gone. */
  readonly send: (bytes: Uint8Array | string) => Promise<void>;
  /** The status of the next answer; undefined when the connection is gone. */
  readonly answer: () => Promise<number | undefined>;
  readonly isOpen: () => boolean;
  /** Reads nothing more. */
  readonly stopReading: () => void;
  /** Returns when the connection is gone. */
  readonly closed: Promise<void>;
  readonly close: () => void;
}

/** All connections of an attacker. */
export interface Wires {
  /** Opens a connection; undefined when it cannot be. */
  readonly open: () => Promise<Wire | undefined>;
  /** Breaks all of them off; none can be opened any more. */
  readonly closeAll: () => void;
}

/** Where attackers come from, so that a service can tell their address from that of the others. */
export const ATTACKER_ADDRESS = "127.0.0.2";

export const makeWires = (host: string, port: number, tally: Tally): Wires => {
  const sockets = new Set<Socket>();
  let over = false;

  const open = async (): Promise<Wire | undefined> => {
    if (over) return undefined;
    const socket = connect({ host, port, localAddress: ATTACKER_ADDRESS }).setNoDelay();
    sockets.add(socket);
    const connected = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => {
        resolve(true);
      });
      socket.once("close", () => {
        resolve(false);
      });
      // The close that follows says the same.
      socket.on("error", () => {});
    });
    if (!connected) {
      sockets.delete(socket);
      if (!over) tally.refused++;
      return undefined;
    }
    tally.connections++;
    return wireOf(socket);
  };

  const wireOf = (socket: Socket): Wire => {
    const answered: number[] = [];
    const waiting: Array<(status: number | undefined) => void> = [];
    const closed = Promise.withResolvers<void>();
    let closedByUs = false;

    const answers = makeAnswers((status) => {
      tally.statuses[status] = (tally.statuses[status] ?? 0) + 1;
      const next = waiting.shift();
      if (next === undefined) answered.push(status);
      else next(status);
    });
    socket.on("data", answers.push);
    socket.once("close", () => {
      sockets.delete(socket);
      if (!closedByUs && !over) tally.cutOff++;
      for (const resolve of waiting.splice(0)) resolve(undefined);
      closed.resolve();
    });

    return {
      send: async (bytes) => {
        if (!socket.writable) return;
        tally.bytesSent += bytes.length;
        if (socket.write(bytes)) return;
        const drained = new Promise<void>((resolve) => socket.once("drain", resolve));
        await Promise.race([drained, closed.promise]);
      },
      answer: () => {
        const status = answered.shift();
        if (status !== undefined) return Promise.resolve(status);
        if (!socket.readable) return Promise.resolve(undefined);
        return new Promise((resolve) => waiting.push(resolve));
      },
      isOpen: () => socket.writable && socket.readable,
      stopReading: () => {
        socket.pause();
      },
      closed: closed.promise,
      close: () => {
        closedByUs = true;
        socket.destroy();
      },
    };
  };

  return {
    open,
    closeAll: () => {
      over = true;
      for (const socket of sockets) socket.destroy();
    },
  };
};
