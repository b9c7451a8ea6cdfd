import { startServer } from "./server.ts";

/**
 * A server in its own process, with some milliseconds of work in every round of the event loop.
 * Sends its URL to its parent. A message makes it block until that many connections wait, and then
 * send how many rounds it took to accept them.
 */
const ROUND_MS = 3;
const BLOCKED_MS = 1_000;

const block = (ms: number): void => {
  const until = performance.now() + ms;
  while (performance.now() < until);
};

const server = await startServer({ host: "127.0.0.1", port: 0, listener: () => {} });
process.on("message", (connections: number) => {
  // Clients that connect meanwhile wait in the kernel.
  block(BLOCKED_MS);
  let rounds = 0;
  const spin = (): void => {
    rounds++;
    block(ROUND_MS);
    if (server.connections() < connections) setImmediate(spin);
    else process.send?.({ rounds });
  };
  setImmediate(spin);
});
process.on("disconnect", () => process.exit());
process.send?.({ url: server.url });
