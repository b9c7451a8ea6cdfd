import { connect, createServer, type Socket } from "node:net";

/** A connection pooler. */
export interface TransactionPooler {
  readonly url: string;
  readonly close: () => Promise<void>;
}

const READY_FOR_QUERY = "Z";
const TERMINATE = "X";
const AUTHENTICATION_OK = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0]);

/** Splits a buffer into messages of Postgres's protocol; returns the rest. */
const eachMessage = (buffer: Buffer, take: (type: string, message: Buffer) => void): Buffer => {
  let rest = buffer;
  while (rest.length >= 5) {
    const length = 1 + rest.readUInt32BE(1);
    if (rest.length < length) break;
    take(String.fromCharCode(rest[0] ?? 0), rest.subarray(0, length));
    rest = rest.subarray(length);
  }
  return rest;
};

/**
 * Pools like PgBouncer in transaction mode: all client connections take turns on one session, a
 * transaction each. The first client authenticates that session; the others get the greeting that
 * it got.
 */
export const startTransactionPooler = async (databaseUrl: string): Promise<TransactionPooler> => {
  const target = new URL(databaseUrl);
  let backend: Socket | undefined;
  let greeting: Buffer | undefined;
  let owner: Socket | undefined;
  const waiting: Array<{ readonly client: Socket; readonly message: Buffer }> = [];
  const clients = new Set<Socket>();

  const forward = (): void => {
    while (waiting[0] !== undefined && (owner === undefined || owner === waiting[0].client)) {
      const [next] = waiting.splice(0, 1);
      owner = next?.client;
      backend?.write(next?.message ?? "");
    }
  };

  const openBackend = (first: Socket): void => {
    owner = first;
    const greeted: Buffer[] = [];
    let rest: Buffer = Buffer.alloc(0);
    backend = connect(Number(target.port), target.hostname);
    backend.on("error", () => {});
    backend.on("data", (chunk) => {
      rest = eachMessage(Buffer.concat([rest, chunk as Buffer]), (type, message) => {
        owner?.write(message);
        if (greeting === undefined && type !== "R") greeted.push(message);
        if (type !== READY_FOR_QUERY || String.fromCharCode(message[5] ?? 0) !== "I") return;
        greeting ??= Buffer.concat([AUTHENTICATION_OK, ...greeted]);
        owner = undefined;
        forward();
      });
    });
  };

  const server = createServer((client) => {
    clients.add(client);
    client.on("error", () => {});
    let started = false;
    let rest: Buffer = Buffer.alloc(0);
    client.on("data", (chunk) => {
      if (!started) {
        started = true;
        if (greeting === undefined) {
          openBackend(client);
          backend?.write(chunk);
        } else {
          client.write(greeting);
        }
        return;
      }
      rest = eachMessage(Buffer.concat([rest, chunk as Buffer]), (type, message) => {
        if (type === TERMINATE) client.end();
        else waiting.push({ client, message });
      });
      forward();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { readonly port: number };
  const url = new URL(databaseUrl);
  url.hostname = "127.0.0.1";
  url.port = String(port);
  return {
    url: url.href,
    close: async () => {
      for (const client of clients) client.destroy();
      backend?.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
