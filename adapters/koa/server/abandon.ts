import type { Socket } from "node:net";

/** What Node's HTTP parser looks like from the socket that it reads; not part of its API. */
interface Parsed {
  readonly parser?: { onIncoming?: unknown; incoming?: unknown } | null;
}

/** What tells the parser to stop behind a request: as if the connection were not HTTP from there on. */
const STOP = 2;

/**
 * Closes a connection that sends what costs more than it should. Of what was read from it already (up to 64 KiB, thousands of
 * requests or pieces of a body) as little as possible is still made requests and buffers of: Node goes on to the end of
 * it even when the socket is destroyed. Should a later Node have another parser, that only costs more.
 */
export const abandon = (socket: Socket): void => {
  const { parser } = socket as Parsed;
  if (parser !== undefined && parser !== null) {
    parser.onIncoming = () => STOP;
    parser.incoming = null;
  }
  socket.destroy();
};
