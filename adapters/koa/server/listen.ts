import { createServer, type Server } from "node:net";

import { LISTEN_BACKLOG } from "../limits.ts";

/**
 * How many servers share a port. libuv accepts one connection a round of the event loop for each listening socket, so
 * with a single one a few hundred connections a second, each of which may bring a millisecond of work, kept everybody
 * else's waiting in the kernel for seconds. Only Linux divides the connections of a port among sockets.
 */
export const LISTENERS = process.platform === "linux" ? 8 : 1;

/**
 * Lets servers listen on one address and port, so that each takes a part of the connections.
 *
 * @param port 0 picks a free one, the same for all
 * @throws the error of `listen`, such as EADDRINUSE; then none of them listens
 */
export const listenTogether = async (
  servers: ReadonlyArray<Server>,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<void> => {
  const [first, ...others] = servers;
  if (first === undefined) throw new Error("There is no server to listen");
  const options = { host, backlog: LISTEN_BACKLOG };
  if (others.length === 0) return listen(first, { ...options, port });
  // Sockets that share a port can belong to several processes of a user, who started the second one by mistake: one that
  // shares it with nobody finds out first.
  if (port !== 0) await checkFree(host, port);
  await listen(first, { ...options, port, reusePort: true });
  const shared = { ...options, port: portOf(first), reusePort: true };
  try {
    for (const other of others) await listen(other, shared);
  } catch (error) {
    for (const server of servers) server.close();
    throw error;
  }
};

const listen = (
  server: Server,
  options: { host: string; port: number; backlog: number; reusePort?: boolean },
): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(options, () => {
      server.off("error", reject);
      resolve();
    });
  });

const checkFree = async (host: string, port: number): Promise<void> => {
  // A client that tries to connect just now is turned away: it would keep the probe, and so the start, waiting.
  const probe = createServer((socket) => {
    socket.destroy();
  });
  await listen(probe, { host, port, backlog: 1 });
  await new Promise((resolve) => probe.close(resolve));
};

const portOf = (server: Server): number => {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server has no port");
  return address.port;
};
