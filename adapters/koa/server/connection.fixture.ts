import { once } from "node:events";
import { connect, type Socket } from "node:net";

import { inVain, PATIENCE_MS } from "../../../scripts/test/patience.ts";

/** An HTTP response as it arrived. */
export interface Answer {
  readonly status: number;
  /** By lower-case name; values of repeated headers are joined. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A TCP connection on which a test sends what no HTTP client would. */
export interface Connection {
  readonly write: (bytes: string | Uint8Array) => void;
  /** Writes, and returns when the kernel has taken it: a slow reader slows the writer down. */
  readonly flush: (bytes: Uint8Array) => Promise<void>;
  /** Closes the sending side and keeps reading. */
  readonly halfClose: () => void;
  /** Resets the connection. */
  readonly reset: () => void;
  /** The next response; undefined if the server closed the connection instead. */
  readonly answer: (to?: "HEAD") => Promise<Answer | undefined>;
  /** Returns when the server has closed the connection. */
  readonly closed: () => Promise<void>;
}

/** @param from the address of the client, on this machine */
export const openConnection = async (url: string, from?: string): Promise<Connection> => {
  const { hostname: host, port } = new URL(url);
  const server = { host, port: Number(port), allowHalfOpen: true };
  const socket = connect(from === undefined ? server : { ...server, localAddress: from });
  let received = Buffer.alloc(0);
  let ended = false;
  let gone = false;
  socket.on("data", (chunk: Buffer) => (received = Buffer.concat([received, chunk])));
  socket.on("end", () => {
    ended = true;
    socket.end();
  });
  socket.on("close", () => (gone = true));
  // A reset counts as closing.
  socket.on("error", () => {});
  await once(socket, "connect");

  const until = async (isTrue: () => boolean, what: string): Promise<void> => {
    const deadline = performance.now() + PATIENCE_MS;
    while (!isTrue()) {
      if (!(await happens(socket, deadline - performance.now()))) {
        throw new Error(`${inVain(what)}; got ${received.subarray(0, 1_000).toString()}`);
      }
    }
  };

  return {
    write: (bytes) => void socket.write(bytes),
    flush: (bytes) => new Promise((resolve) => socket.write(bytes, () => resolve())),
    halfClose: () => void socket.end(),
    reset: () => void socket.resetAndDestroy(),
    closed: () => until(() => gone, "the server did not close the connection"),
    answer: async (to) => {
      let found = parseAnswer(received, to);
      await until(() => {
        found = parseAnswer(received, to);
        return found !== undefined || ended || gone;
      }, "no answer");
      if (found === undefined) return undefined;
      received = received.subarray(found.length);
      return found.answer;
    },
  };
};

const EVENTS = ["data", "end", "close"] as const;

/** Returns true as soon as anything happens on the socket, false if nothing does in time. */
const happens = (socket: Socket, withinMs: number): Promise<boolean> =>
  new Promise((resolve) => {
    const end = (happened: boolean) => {
      clearTimeout(timer);
      for (const event of EVENTS) socket.off(event, onEvent);
      resolve(happened);
    };
    const onEvent = () => end(true);
    const timer = setTimeout(end, withinMs, false);
    for (const event of EVENTS) socket.on(event, onEvent);
  });

/** The first complete response in the bytes, and its length; skips interim ones (100 Continue). */
const parseAnswer = (
  bytes: Buffer,
  to: "HEAD" | undefined,
): { readonly answer: Answer; readonly length: number } | undefined => {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd === -1) return undefined;
  const [statusLine = "", ...lines] = bytes.subarray(0, headEnd).toString().split("\r\n");
  const status = Number(statusLine.split(" ")[1]);
  const bodyStart = headEnd + 4;
  if (status < 200) {
    const next = parseAnswer(bytes.subarray(bodyStart), to);
    return next && { answer: next.answer, length: next.length + bodyStart };
  }
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const [given = "", ...value] = line.split(": ");
    const name = given.toLowerCase();
    headers[name] = [headers[name] ?? [], value.join(": ")].flat().join(", ");
  }
  const length = bodyStart + (to === "HEAD" ? 0 : Number(headers["content-length"] ?? 0));
  if (bytes.length < length) return undefined;
  const body = bytes.subarray(bodyStart, length).toString();
  return { answer: { status, headers, body }, length };
};
