import { once } from "node:events";
import { createServer } from "node:net";

// Below the ports that Linux gives to outgoing connections: one of those could take the port of a process
// in the moment between its death and its next start.
const PORT_MIN = 20_000;
const PORT_MAX = 32_000;

const TRIES_MAX = 100;

/** A port of 127.0.0.1 that nobody uses, and that no outgoing connection will be given. */
export const lastingPort = async (): Promise<number> => {
  for (let i = 0; i < TRIES_MAX; i++) {
    const port = PORT_MIN + Math.floor(Math.random() * (PORT_MAX - PORT_MIN));
    if (await isFree(port)) return port;
  }
  throw new Error(`no port from ${PORT_MIN} to ${PORT_MAX} is free`);
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
