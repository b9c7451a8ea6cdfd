import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

import { type LinkCondition, makeDelayedWriter } from "./delayed_writer.ts";
import { type Caught, makeTrapTap, type Moment, type Trap } from "./trap.ts";

export interface FaultProxyOptions {
  /** The port of 127.0.0.1 where connections go. */
  readonly targetPort: number;
  /** `postgres`: statements can be caught. `opaque`: bytes are only forwarded. */
  readonly protocol: "postgres" | "opaque";
}

/** A TCP link that can break as networks do. */
export interface FaultProxy {
  /** It listens on 127.0.0.1. */
  readonly port: number;
  /** Sends new connections to another port: a restarted server may have one. */
  readonly retarget: (port: number) => void;
  /**
   * Changes the condition of the link. A connection that was open while the link was `gone` stays half-open for its
   * client. Its server side is closed when the link is up again, as keep-alive would do.
   */
  readonly become: (condition: LinkCondition) => void;
  /** Resets all connections at both ends. */
  readonly reset: () => void;
  /** Holds the first connection at a moment of a matching statement; undefined if none comes in time. */
  readonly catchAt: (
    moment: Moment,
    statement: RegExp,
    withinMs: number,
  ) => Promise<Caught | undefined>;
  readonly close: () => Promise<void>;
}

interface Connection {
  readonly pump: () => void;
  readonly kill: () => void;
  readonly reset: () => void;
  readonly dropServer: () => void;
  readonly isDead: () => boolean;
}

/** Starts a proxy on a free port. */
export const startFaultProxy = async (options: FaultProxyOptions): Promise<FaultProxy> => {
  const connections = new Set<Connection>();
  const traps = new Set<Trap>();
  let { targetPort } = options;
  let condition: LinkCondition = "up";

  const takeTrap = (text: string): Trap | undefined => {
    for (const trap of traps) {
      if (!trap.statement.test(text)) continue;
      traps.delete(trap);
      return trap;
    }
    return undefined;
  };

  const open = (client: Socket): void => {
    let dead = condition === "gone";
    const server = connect({ port: targetPort, host: "127.0.0.1", noDelay: true });
    const toServer = makeDelayedWriter(server, () => condition);
    const toClient = makeDelayedWriter(client, () => condition);
    const reset = (): void => {
      client.resetAndDestroy();
      server.resetAndDestroy();
    };
    const tap =
      options.protocol === "postgres"
        ? makeTrapTap({ toServer, toClient, takeTrap, cut: reset })
        : { fromClient: toServer.push, fromServer: toClient.push };
    client.on("data", (chunk: Buffer) => {
      if (!dead) tap.fromClient(chunk);
    });
    server.on("data", (chunk: Buffer) => {
      if (!dead) tap.fromServer(chunk);
    });
    const connection: Connection = {
      pump: () => {
        toServer.pump();
        toClient.pump();
      },
      kill: () => {
        dead = true;
      },
      reset,
      dropServer: () => server.destroy(),
      isDead: () => dead,
    };
    connections.add(connection);
    // An end that breaks is passed on to the other one, unless the link is gone.
    client.on("error", () => {});
    server.on("error", () => {});
    client.once("close", () => {
      if (!dead) toServer.end();
      if (server.destroyed) connections.delete(connection);
    });
    server.once("close", () => {
      if (!dead) toClient.end();
      if (client.destroyed) connections.delete(connection);
    });
  };

  const listener = createServer({ noDelay: true }, open).listen(0, "127.0.0.1");
  await once(listener, "listening");

  return {
    port: (listener.address() as AddressInfo).port,
    retarget: (port) => {
      targetPort = port;
    },
    become: (next) => {
      condition = next;
      for (const connection of connections) {
        if (next === "gone") connection.kill();
        else if (connection.isDead()) connection.dropServer();
        else connection.pump();
      }
    },
    reset: () => {
      for (const connection of connections) connection.reset();
    },
    catchAt: (moment, statement, withinMs) =>
      new Promise((resolve) => {
        let expired = false;
        const trap: Trap = {
          moment,
          statement,
          spring: (caught) => {
            clearTimeout(timer);
            // The moment came too late.
            if (expired) caught.release();
            else resolve(caught);
          },
        };
        const timer = setTimeout(() => {
          expired = true;
          traps.delete(trap);
          resolve(undefined);
        }, withinMs);
        traps.add(trap);
      }),
    close: async () => {
      for (const connection of connections) connection.reset();
      listener.close();
      await once(listener, "close");
    },
  };
};
