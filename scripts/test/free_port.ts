import { once } from "node:events";
import { createServer } from "node:net";

/**
 * Outgoing connections get higher ports on Linux, and must not take one while a process restarts.
 */
const PORT_MIN = 20_000;
const PORT_MAX = 32_000;

const TRIES_MAX = 100;

/** A free port of 127.0.0.1, for a process that cannot choose one, or restarts on the same port. */
export const freePort = async (): Promise<number> => {
  for (let i = 0; i < TRIES_MAX; i++) {
    const port = PORT_MIN + Math.floor(Math.random() * (PORT_MAX - PORT_MIN));
    if (await isFree(port)) return port;
  }
  throw new Error(`No port from ${PORT_MIN} to ${PORT_MAX} is free`);
};

const isFree = async (port: number): Promise<boolean> => {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch {
    return false;
  }
  server.close();
  await once(server, "close");
  return true;
};
