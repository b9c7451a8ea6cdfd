import * as http from "node:http";
import * as https from "node:https";

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** A client that keeps its connections open. */
export interface HttpClient {
  readonly post: (path: string, body: Buffer) => Promise<Answer>;
  readonly get: (path: string) => Promise<Answer>;
  readonly close: () => void;
}

/** @param key an API key, where the service wants one */
export const makeHttpClient = (
  baseUrl: URL,
  connections: number,
  key: string | undefined,
): HttpClient => {
  const { protocol, hostname, port } = baseUrl;
  const { Agent, request } = protocol === "https:" ? https : http;
  const agent = new Agent({ keepAlive: true, maxSockets: connections, scheduling: "fifo" });
  // An IPv6 address has brackets in a URL alone.
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  const authorization = key === undefined ? {} : { Authorization: `Bearer ${key}` };
  const send = (method: string, path: string, body?: Buffer): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const headers =
        body === undefined
          ? authorization
          : {
              ...authorization,
              "Content-Type": "application/json",
              "Content-Length": body.length,
            };
      const outgoing = request({ agent, host, port, method, path, headers }, (incoming) => {
        let text = "";
        incoming.setEncoding("utf8");
        incoming.on("data", (chunk: string) => (text += chunk));
        incoming.on("end", () => {
          resolve({ status: incoming.statusCode ?? 0, body: text });
        });
        incoming.on("error", reject);
      });
      outgoing.on("error", reject);
      outgoing.end(body);
    });
  return {
    post: (path, body) => send("POST", path, body),
    get: (path) => send("GET", path),
    close: () => {
      agent.destroy();
    },
  };
};
