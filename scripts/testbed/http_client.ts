import { Agent, request } from "node:http";

/** The outcome of a request. */
export type Outcome =
  | { readonly _tag: "Answered"; readonly status: number; readonly body: string }
  /** No connection was established: it had no effect. */
  | { readonly _tag: "Refused"; readonly reason: string }
  /** The connection broke or the request timed out: it may have had an effect. */
  | { readonly _tag: "Unknown"; readonly reason: string; readonly afterMs: number };

export interface HttpClient {
  readonly post: (url: string, body: string) => Promise<Outcome>;
  readonly get: (url: string) => Promise<Outcome>;
  readonly close: () => void;
}

export interface HttpClientOptions {
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether connections are reused; true by default. */
  readonly keepAlive?: boolean;
  /** The local address of connections; any by default. */
  readonly localAddress?: string;
}

/** A client whose requests time out after `timeoutMs`. */
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
          fail(new Error("aborted"));
        });
      });
      // For the whole request, including an answer that trickles in.
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

/** The query of a range in milliseconds since the Unix epoch, from `from` up to but not including `to`. */
export const rangeQuery = (from: number, to: number): string =>
  `from=${new Date(from).toISOString()}&to=${new Date(to).toISOString()}`;
