import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

/** An answer of a stub, and its delay. */
export interface StubAnswer {
  readonly status: number;
  readonly body?: string;
  readonly afterMs?: number;
}

/** An HTTP server that answers as a test says. */
export interface Stub {
  readonly url: string;
  readonly port: number;
  /** The addresses of its clients. */
  readonly addresses: ReadonlySet<string>;
  readonly bytesReceived: () => number;
  readonly close: () => Promise<void>;
}

export const startStub = async (
  answer: (request: IncomingMessage) => StubAnswer,
): Promise<Stub> => {
  const addresses = new Set<string>();
  let bytesReceived = 0;
  const server = createServer((request, response) => {
    request.resume();
    request.on("error", () => {});
    request.once("end", () => {
      const { status, body = "{}", afterMs = 0 } = answer(request);
      setTimeout(() => {
        response.writeHead(status, { "Content-Length": Buffer.byteLength(body) }).end(body);
      }, afterMs);
    });
  });
  server.on("connection", (socket) => {
    addresses.add(socket.remoteAddress ?? "");
    socket.on("data", (bytes) => {
      bytesReceived += bytes.length;
    });
    socket.on("error", () => {});
  });
  server.on("clientError", (_, socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    addresses,
    bytesReceived: () => bytesReceived,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
};
