import { connect, type Socket } from "node:net";

/**
 * Holds connections that never get to the end of their headers: a byte a second, and whoever is cut off
 * comes again. A process of its own, so that it takes no time from those who measure. Takes the URL of the
 * service and how many, and says when they are all there.
 */
const { hostname, port } = new URL(process.argv[2] ?? "");
const count = Number(process.argv[3]);
const sockets = new Set<Socket>();
let told = false;

const open = (): void => {
  const socket = connect(Number(port), hostname);
  socket.once("connect", () => {
    sockets.add(socket);
    if (sockets.size < count || told) return;
    told = true;
    process.stdout.write("ready\n");
  });
  // What ends it does not matter; the close that follows opens the next.
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
