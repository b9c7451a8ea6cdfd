import { Redis } from "ioredis";

/** How long a command may take. A Redis that takes longer is slower than the database behind it. */
export const COMMAND_TIMEOUT_MS = 100;

const CONNECT_TIMEOUT_MS = 1_000;

/** A connection on which nothing is heard for so long, with commands under way, is made anew. */
const SOCKET_TIMEOUT_MS = 5_000;

const RECONNECT_MIN_MS = 50;
const RECONNECT_MAX_MS = 1_000;

/** A connection to Redis that never queues, never retries a command, and comes back by itself. */
export interface Client {
  readonly redis: Redis;
  /** What went wrong, for people, without secrets. */
  readonly reasonOf: (error: unknown) => string;
}

/** @param onReady is called each time that the connection stands */
export const connectClient = (url: string, onReady: (redis: Redis) => void): Client => {
  const redis = new Redis(url, {
    connectionName: "tidemark",
    // A command that cannot be sent now fails now: nobody may wait for Redis to come back.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // Who subscribes does it whenever the connection stands.
    autoResubscribe: false,
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SOCKET_TIMEOUT_MS,
    retryStrategy: (times) => Math.min(RECONNECT_MIN_MS * times, RECONNECT_MAX_MS),
  });
  let connectionError: Error | undefined;
  // Without a listener the process would end. Of the errors only the message is used: some carry the
  // command that failed, and that may be the one with the password.
  redis.on("error", (error: Error) => (connectionError = error));
  redis.on("ready", () => {
    connectionError = undefined;
    onReady(redis);
  });
  return {
    redis,
    // While there is no connection, why there is none says more than that a command cannot be sent.
    reasonOf: (error) => messageOf(connectionError ?? error),
  };
};

const messageOf = (error: unknown): string => {
  // A host with several addresses fails with an error that has no message, but one for each.
  if (error instanceof AggregateError) return error.errors.map(messageOf).join(", ");
  return error instanceof Error ? error.message : String(error);
};
