import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A TCP proxy in front of several processes. It retries nothing. */
export interface TcpBalancer {
  readonly url: string;
  /** The ports of the processes that get new connections. */
  readonly ready: () => ReadonlySet<number>;
  readonly close: () => void;
}

/** How often the proxy reads the readiness of each process. */
const LOOK_EVERY_MS = 50;

/**
 * Starts a proxy that gives each new connection to the next process whose last `/readyz` was 200. A
 * connection stays with its process, and the client sees what the process does to it, such as a
 * reset.
 */
export const startTcpBalancer = async (ports: ReadonlyArray<number>): Promise<TcpBalancer> => {
  const ready = new Set<number>();
  let turn = 0;
  const sockets = new Set<Socket>();
  const track = (socket: Socket): void => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  };

  const server = createServer({ allowHalfOpen: true }, (client) => {
    track(client);
    const candidates = [...ready];
    const port = candidates[turn++ % candidates.length];
    if (port === undefined) {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    track(upstream);
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.pipe(other);
      one.on("error", () => other.resetAndDestroy());
      one.on("close", () => {
        if (!one.readableEnded) other.destroy();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  const look = async (): Promise<void> => {
    await Promise.all(
      ports.map(async (port) => {
        const isReady = await fetch(`http://127.0.0.1:${port}/readyz`, {
          headers: { Connection: "close" },
        }).then(
          async (response) => {
            await response.arrayBuffer();
            return response.ok;
          },
          () => false,
        );
        if (isReady) ready.add(port);
        else ready.delete(port);
      }),
    );
  };
  await look();
  let looking = false;
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    void look().finally(() => (looking = false));
  }, LOOK_EVERY_MS);

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ready: () => ready,
    close: () => {
      clearInterval(timer);
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
};
