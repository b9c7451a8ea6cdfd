import { createServer, type Server } from "node:net";

import { LISTEN_BACKLOG } from "../limits.ts";

/**
 * How many servers share a port. libuv accepts one connection per round of the event loop and listening socket. With a
 * single socket, a few hundred connections a second that each bring a millisecond of work delayed everybody else's by
 * seconds. Only Linux distributes the connections of a port over sockets.
 */
export const LISTENERS = process.platform === "linux" ? 8 : 1;

/**
 * Lets servers listen on the same address and port, and share its connections.
 *
 * @param port 0 picks a free one
 * @throws the error of `listen`, such as EADDRINUSE; none of them listens then
 */
export const listenTogether = async (
  servers: ReadonlyArray<Server>,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<void> => {
  const [first, ...others] = servers;
  if (first === undefined) throw new Error("At least one server is required");
  const options = { host, backlog: LISTEN_BACKLOG };
  if (others.length === 0) return listen(first, { ...options, port });
  // A second process of the same user could share the port, too, which would be a mistake: an exclusive socket detects it.
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
  // A client that connects now would keep the probe open, and so delay the start.
  const probe = createServer((socket) => {
    socket.destroy();
  });
  await listen(probe, { host, port, backlog: 1 });
  await new Promise((resolve) => probe.close(resolve));
};

const portOf = (server: Server): number => {
  const address = server.address();
  if (address === null || typeof address === "string")
    throw new Error("The server listens on no port");
  return address.port;
};
