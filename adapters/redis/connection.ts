import { Redis } from "ioredis";

import { type Breaker, type BreakerState, makeBreaker } from "./breaker.ts";
import { makeSignature, type Signature } from "./signature.ts";

export interface ConnectionOptions {
  readonly url: string;
  /** Processes on the same database share a namespace, and so everything in it. */
  readonly namespace: string;
  /** The secret that the processes of this log sign with. */
  readonly secret: Uint8Array;
  /** Called when Redis becomes available or unavailable. */
  readonly onChange: (state: BreakerState) => void;
  /** Called after each attempt to subscribe, with the reason if Redis refused it. */
  readonly onSubscribed?: (refused: Error | undefined) => void;
}

/** What the ports in this folder are built on. */
export interface Connection {
  readonly redis: Redis;
  /** Every command goes through it. */
  readonly breaker: Breaker;
  /** The prefix of every key and channel. */
  readonly prefix: string;
  /** Signs what other processes of this log are to trust. */
  readonly signature: Signature;
  readonly onSubscribed: (refused: Error | undefined) => void;
  /** Opens another connection, which is closed with this one. */
  readonly connect: (onReady: (redis: Redis) => void) => Redis;
  readonly close: () => void;
}

/** Increment it when the format of a value changes. Older values are then not found. */
const FORMAT = 3;

/** What every key and channel of a namespace begins with. */
export const prefixOf = (namespace: string): string => `tidemark:${namespace}:${FORMAT}:`;

/** How long the key of a probe lives, in milliseconds. */
const PROBE_KEY_MS = 1_000;

/** Connects to Redis in the background; nothing waits for it. */
export const openConnection = ({
  url,
  namespace,
  secret,
  onChange,
  onSubscribed = () => {},
}: ConnectionOptions): Connection => {
  const prefix = prefixOf(namespace);
  const opened: Redis[] = [];
  const connect = (onReady: (redis: Redis) => void): Client => {
    const client = connectClient(url, onReady);
    opened.push(client.redis);
    return client;
  };

  const { redis, reasonOf } = connect(() => breaker.probe());
  const breaker = makeBreaker({
    // A write, so that a Redis that is full or a replica counts as unavailable.
    probe: () => redis.set(`${prefix}probe`, "", "PX", PROBE_KEY_MS),
    reasonOf,
    onChange,
  });

  return {
    redis,
    breaker,
    prefix,
    signature: makeSignature(secret),
    onSubscribed,
    connect: (onReady) => connect(onReady).redis,
    close: () => {
      breaker.stop();
      for (const each of opened) each.disconnect();
    },
  };
};

/** How long a command may take. If Redis takes longer, the database behind it is faster. */
export const COMMAND_TIMEOUT_MS = 100;

const CONNECT_TIMEOUT_MS = 1_000;

/** A connection on which nothing arrives for so long while commands are in flight is replaced. */
const SOCKET_TIMEOUT_MS = 5_000;

const RECONNECT_MIN_MS = 50;
const RECONNECT_MAX_MS = 1_000;

/** A connection to Redis that reconnects by itself, and never queues or retries a command. */
interface Client {
  readonly redis: Redis;
  /** Describes an error to people, without secrets. */
  readonly reasonOf: (error: unknown) => string;
}

/** @param onReady called each time the connection is established */
const connectClient = (url: string, onReady: (redis: Redis) => void): Client => {
  const redis = new Redis(url, {
    connectionName: "tidemark",
    // A command that cannot be sent now fails now: nobody may wait for Redis to come back.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // Subscribers subscribe in `onReady`.
    autoResubscribe: false,
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SOCKET_TIMEOUT_MS,
    retryStrategy: (times) => Math.min(RECONNECT_MIN_MS * times, RECONNECT_MAX_MS),
  });
  let connectionError: Error | undefined;
  // Without a listener, an error would end the process. Only its message is used: an error may
  // carry the command that failed, and with it the password.
  redis.on("error", (error: Error) => (connectionError = error));
  redis.on("ready", () => {
    connectionError = undefined;
    onReady(redis);
  });
  return {
    redis,
    // Without a connection, the reason for that says more than that a command cannot be sent.
    reasonOf: (error) => messageOf(connectionError ?? error),
  };
};

const messageOf = (error: unknown): string => {
  // The error for a host with several addresses has no message, but an error for each address.
  if (error instanceof AggregateError) return error.errors.map(messageOf).join(", ");
  return error instanceof Error ? error.message : String(error);
};
