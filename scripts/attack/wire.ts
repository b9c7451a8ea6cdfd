import { connect, type Socket } from "node:net";

import { makeAnswerParser } from "./answer_parser.ts";

/** A raw connection to the service. It never throws: a closed one drops bytes and has no answers. */
export interface Wire {
  /** Sends bytes; returns when there is room for more, or the connection is closed. */
  readonly send: (bytes: Uint8Array | string) => Promise<void>;
  /** The status of the next answer; undefined if the connection is closed. */
  readonly answer: () => Promise<number | undefined>;
  readonly isOpen: () => boolean;
  /** Stops reading answers. */
  readonly stopReading: () => void;
  /** Returns when the connection is closed. */
  readonly closed: Promise<void>;
  readonly close: () => void;
}

/** All connections of an attacker. */
export interface Wires {
  /** Opens a connection; undefined if that fails. */
  readonly open: () => Promise<Wire | undefined>;
  /** Closes all connections, for good. */
  readonly closeAll: () => void;
}

/** The local address of attackers, so that the service can distinguish them from other clients. */
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
      // `close` follows.
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

    const parse = makeAnswerParser((status) => {
      tally.statuses[status] = (tally.statuses[status] ?? 0) + 1;
      const next = waiting.shift();
      if (next === undefined) answered.push(status);
      else next(status);
    });
    socket.on("data", parse);
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

/** What an attacker did, and how the service answered. */
export interface Tally {
  connections: number;
  /** Connections that failed to open. */
  refused: number;
  /** Connections that the service closed. */
  cutOff: number;
  bytesSent: number;
  /** The number of answers, by status. */
  readonly statuses: Record<string, number>;
}

export const emptyTally = (): Tally => ({
  connections: 0,
  refused: 0,
  cutOff: 0,
  bytesSent: 0,
  statuses: {},
});

/** Adds the tallies of several attackers. */
export const sumTallies = (tallies: ReadonlyArray<Tally>): Tally => {
  const sum = emptyTally();
  for (const tally of tallies) {
    sum.connections += tally.connections;
    sum.refused += tally.refused;
    sum.cutOff += tally.cutOff;
    sum.bytesSent += tally.bytesSent;
    for (const [status, count] of Object.entries(tally.statuses)) {
      sum.statuses[status] = (sum.statuses[status] ?? 0) + count;
    }
  }
  return sum;
};

/** A tally as a sentence: "12 connections, 54.0 MB sent; answered 202 × 3, 503 × 9; 2 closed by the service". */
export const describeTally = (tally: Tally): string => {
  const { connections, refused, cutOff, bytesSent, statuses } = tally;
  const answers = Object.entries(statuses).map(([status, count]) => `${status} × ${count}`);
  return [
    `${connections} connections, ${(bytesSent / 1e6).toFixed(1)} MB sent`,
    answers.length === 0 ? "no answer" : `answered ${answers.join(", ")}`,
    ...(cutOff > 0 ? [`${cutOff} closed by the service`] : []),
    ...(refused > 0 ? [`${refused} refused`] : []),
  ].join("; ");
};
