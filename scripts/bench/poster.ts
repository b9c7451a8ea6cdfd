import { once } from "node:events";
import { connect } from "node:net";

/** Posts bodies one after the other over a connection of its own, and tells the status of each answer. */
export interface Poster {
  readonly post: (body: Buffer) => Promise<number>;
  /** Whether the service has not closed the connection. */
  readonly isOpen: () => boolean;
  readonly close: () => void;
}

/**
 * Opens a connection to `POST /events`. It knows no more of HTTP than the answers of the service need (a length, and
 * a connection that stays open): with node:http the load took more processor time than koa.
 */
export const openPoster = async (url: string): Promise<Poster> => {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).setNoDelay();
  await once(socket, "connect");
  let received = "";
  let waiting: PromiseWithResolvers<number> | undefined;

  socket.on("data", (chunk) => {
    received += chunk.toString("latin1");
    const headEnd = received.indexOf("\r\n\r\n");
    const length = /\r\ncontent-length: (\d+)\r\n/i.exec(received)?.[1];
    if (headEnd < 0 || received.length < headEnd + 4 + Number(length)) return;
    const status = Number(received.slice(9, 12));
    received = "";
    waiting?.resolve(status);
  });
  const fail = (): void => waiting?.reject(new Error("the service closed the connection"));
  socket.on("close", fail);
  socket.on("error", fail);

  return {
    post: (body) => {
      waiting = Promise.withResolvers<number>();
      socket.cork();
      socket.write(
        `POST /events HTTP/1.1\r\nHost: ${hostname}\r\nContent-Type: application/json\r\n` +
          `Content-Length: ${body.length}\r\n\r\n`,
      );
      socket.write(body);
      socket.uncork();
      return waiting.promise;
    },
    isOpen: () => socket.writable,
    close: () => {
      socket.destroy();
    },
  };
};
