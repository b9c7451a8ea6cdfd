import { once } from "node:events";
import { createServer, type ListenOptions, type Server } from "node:net";

import { invariant } from "../../../core/invariant.ts";
import { LISTEN_BACKLOG } from "../limits.ts";

/**
 * How many servers share a port. libuv accepts one connection per round of the event loop and
 * listening socket. With a single socket, a few hundred connections a second that each bring a
 * millisecond of work delayed everybody else's by seconds. Only Linux distributes the connections
 * of a port over sockets.
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
  invariant(first !== undefined, "at least one server must listen");
  const options = { host, backlog: LISTEN_BACKLOG };
  if (others.length === 0) return listen(first, { ...options, port });
  // Another process of the user could share the port by mistake: an exclusive socket detects it.
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

/** Throws the server's error if it cannot listen. */
const listen = async (server: Server, options: ListenOptions): Promise<void> => {
  await once(server.listen(options), "listening");
};

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
  invariant(typeof address === "object" && address !== null, "a server that listens has a port");
  return address.port;
};
