import { Agent, request } from "node:http";

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

export const makeHttpClient = (baseUrl: string, connections: number): HttpClient => {
  const agent = new Agent({ keepAlive: true, maxSockets: connections, scheduling: "fifo" });
  const { hostname: host, port } = new URL(baseUrl);
  const send = (method: string, path: string, body?: Buffer): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const headers =
        body === undefined
          ? {}
          : { "Content-Type": "application/json", "Content-Length": body.length };
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
