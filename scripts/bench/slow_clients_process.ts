import { connect, type Socket } from "node:net";

/**
 * Opens connections that never finish their headers: they send a byte per second, and connect again
 * when they are closed. A process of its own, so that it takes no time from the measurement. Its
 * arguments are the URL of the service and the number of connections; it prints `ready` when all
 * are open.
 */
const { hostname, port } = new URL(process.argv[2] ?? "");
const count = Number(process.argv[3]);
const sockets = new Set<Socket>();
let isReady = false;

const open = (): void => {
  const socket = connect(Number(port), hostname);
  socket.once("connect", () => {
    sockets.add(socket);
    if (sockets.size < count || isReady) return;
    isReady = true;
    process.stdout.write("ready\n");
  });
  // The close event follows, and opens the next connection.
  socket.on("error", () => {});
  socket.once("close", () => {
    sockets.delete(socket);
    setTimeout(open, 100);
  });
  socket.write("POST /events HTTP/1.1\r\nHost: tidemark\r\nX-Slow: ");
};

for (let i = 0; i < count; i++) open();
setInterval(() => {
  for (const socket of sockets) socket.write("x");
}, 1_000);
process.once("SIGTERM", () => {
  process.exit(0);
});
