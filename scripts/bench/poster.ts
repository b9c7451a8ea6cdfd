import { once } from "node:events";
import { connect } from "node:net";

/** Posts bodies one after the other over one connection, and returns the status of each. */
export interface Poster {
  readonly post: (body: Buffer) => Promise<number>;
  /** False once the service has closed the connection. */
  readonly isOpen: () => boolean;
  readonly close: () => void;
}

/**
 * Opens a connection to `POST /events`. It supports only what the answers of the service need: a
 * content length and a persistent connection. With node:http the load took more processor time than
 * koa.
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
  const fail = (): void => waiting?.reject(new Error("The service closed the connection"));
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

const ACCOUNTS = 500;
const USERS = 200;

/** The types of events that a load sends. */
export const TYPES = ["message_sent", "call_made", "form_submitted", "login", "custom"];

let sent = 0;

/** A request with new events of one account, or else of 500 accounts with 200 users each. */
export const loadBatch = (events: number, accountId?: string): Buffer => {
  const timestamp = new Date().toISOString();
  const items: string[] = [];
  for (let i = 0; i < events; i++) {
    const n = sent++;
    const account = accountId ?? `account-${(n * 7_919) % ACCOUNTS}`;
    items.push(
      `{"event_id":"load-${process.pid}-${n}","account_id":"${account}",` +
        `"user_id":"user-${(n * 104_729) % USERS}","type":"${TYPES[n % TYPES.length]}",` +
        `"timestamp":"${timestamp}","metadata":{"channel":"web","n":${n % 10}}}`,
    );
  }
  return Buffer.from(`{"events":[${items.join(",")}]}`);
};
