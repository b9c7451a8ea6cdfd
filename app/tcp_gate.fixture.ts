import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** A TCP forwarder to a database, which a test can close. */
export interface TcpGate {
  /** The database's URL through the gate. */
  readonly url: string;
  /** How many connections were tried while the gate hung up. */
  readonly hungUp: () => number;
  /** Forwards new connections to another database; open ones stay. */
  readonly leadTo: (databaseUrl: string) => void;
  /** Forwards new connections, and drops open ones. */
  readonly open: () => Promise<void>;
  /** Accepts and immediately drops connections, open ones included. */
  readonly hangUp: () => Promise<void>;
  /** Refuses connections, and drops open ones. */
  readonly close: () => Promise<void>;
}

/** A gate in front of a database, closed at first. */
export const makeTcpGate = async (databaseUrl: string): Promise<TcpGate> => {
  let target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let mode: "open" | "hang up" = "hang up";
  let hungUp = 0;
  let server: Server | undefined;

  const track = (socket: Socket): Socket => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    // An error of one side closes the other.
    socket.on("error", () => {});
    return socket;
  };
  const onConnection = (socket: Socket): void => {
    track(socket);
    if (mode === "hang up") {
      hungUp++;
      socket.destroy();
      return;
    }
    const onward = track(connect(Number(target.port), target.hostname));
    socket.pipe(onward).pipe(socket);
    socket.once("close", () => onward.destroy());
    onward.once("close", () => socket.destroy());
  };
  const drop = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const listen = async (port: number): Promise<number> => {
    server = createServer(onConnection).listen(port, "127.0.0.1");
    await once(server, "listening");
    return (server.address() as { port: number }).port;
  };
  const close = async (): Promise<void> => {
    const closing = server;
    server = undefined;
    drop();
    if (closing === undefined) return;
    closing.close();
    await once(closing, "close");
  };

  // The port stays the same: the system does not give out a port again so soon.
  const port = await listen(0);
  await close();
  const url = new URL(databaseUrl);
  url.hostname = "127.0.0.1";
  url.port = String(port);
  const be = async (next: typeof mode): Promise<void> => {
    mode = next;
    drop();
    if (server === undefined) await listen(port);
  };
  return {
    url: url.href,
    hungUp: () => hungUp,
    leadTo: (other) => {
      target = new URL(other);
    },
    open: () => be("open"),
    hangUp: () => be("hang up"),
    close,
  };
};
