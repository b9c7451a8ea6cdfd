import { Agent, request } from "node:http";

/** What became of a request. */
export type Outcome =
  | { readonly _tag: "Answered"; readonly status: number; readonly body: string }
  /** Nobody took it: it cannot have had any effect. */
  | { readonly _tag: "Refused"; readonly reason: string }
  /** It was sent, and the connection broke or the time was up: it may have had its effect. */
  | { readonly _tag: "Unknown"; readonly reason: string; readonly afterMs: number };

export interface HttpClient {
  readonly post: (url: string, body: string) => Promise<Outcome>;
  readonly get: (url: string) => Promise<Outcome>;
  readonly close: () => void;
}

export interface HttpClientOptions {
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether connections stay open for the next request; they do unless told. */
  readonly keepAlive?: boolean;
  /** The address of this machine that connections come from. */
  readonly localAddress?: string;
}

/** A client that gives up on a request after `timeoutMs`. */
export const makeHttpClient = (timeoutMs: number, options: HttpClientOptions = {}): HttpClient => {
  const { headers: common = {}, keepAlive = true, localAddress } = options;
  const agent = new Agent({
    keepAlive,
    scheduling: "fifo",
    ...(localAddress === undefined ? {} : { localAddress }),
  });

  const send = (method: string, url: string, body?: string): Promise<Outcome> =>
    new Promise((resolve) => {
      const start = performance.now();
      let connected = false;
      const fail = (error: Error): void => {
        const reason = "code" in error ? String(error.code) : error.message;
        resolve(
          connected
            ? { _tag: "Unknown", reason, afterMs: performance.now() - start }
            : { _tag: "Refused", reason },
        );
      };
      const headers =
        body === undefined
          ? common
          : {
              ...common,
              "Content-Type": "application/json",
              "Content-Length": Buffer.byteLength(body),
            };
      const outgoing = request(url, { agent, method, headers }, (incoming) => {
        let text = "";
        incoming.setEncoding("utf8");
        incoming.on("data", (chunk: string) => (text += chunk));
        incoming.on("end", () => {
          resolve({ _tag: "Answered", status: incoming.statusCode ?? 0, body: text });
        });
        incoming.on("error", fail);
        incoming.on("aborted", () => {
          fail(new Error("cut off"));
        });
      });
      // Of the whole request: an answer that comes byte by byte is given up, too.
      const timer = setTimeout(() => outgoing.destroy(new Error("timeout")), timeoutMs);
      outgoing.once("close", () => {
        clearTimeout(timer);
      });
      outgoing.on("socket", (socket) => {
        if (!socket.connecting) connected = true;
        else {
          socket.once("connect", () => {
            connected = true;
          });
        }
      });
      outgoing.on("error", fail);
      outgoing.end(body);
    });

  return {
    post: (url, body) => send("POST", url, body),
    get: (url) => send("GET", url),
    close: () => {
      agent.destroy();
    },
  };
};
