import type { Redis } from "ioredis";

import { ANSWER_FORMAT } from "./answer_text.ts";
import { type Breaker, type BreakerState, makeBreaker } from "./breaker.ts";
import { connectClient } from "./client.ts";
import { makeSignature, type Signature } from "./signature.ts";

export interface ConnectionOptions {
  readonly url: string;
  /** Whose Redis this is: processes on the same database share everything, and others nothing. */
  readonly namespace: string;
  /** What the processes of this log sign with. */
  readonly secret: Uint8Array;
  /** Is told when Redis comes and goes. */
  readonly onChange: (state: BreakerState) => void;
  /** Called after each attempt to subscribe: with why Redis refused it, or undefined if it did not. */
  readonly onSubscribed?: (refused: Error | undefined) => void;
}

/** What the ports of this folder are built on. */
export interface Connection {
  readonly redis: Redis;
  /** Every command goes through it. */
  readonly breaker: Breaker;
  /** What every key and channel begins with. */
  readonly prefix: string;
  /** Of what is believed because a process of this log wrote it. */
  readonly signature: Signature;
  readonly onSubscribed: (refused: Error | undefined) => void;
  /** Opens one more connection, which is closed with this one. */
  readonly connect: (onReady: (redis: Redis) => void) => Redis;
  readonly close: () => void;
}

/** How long the key of a probe lives, in milliseconds. */
const PROBE_KEY_MS = 1_000;

/** Connects to Redis in the background; nothing waits for it. */
export const openConnection = (options: ConnectionOptions): Connection => {
  const { url, namespace, secret, onChange, onSubscribed = () => {} } = options;
  const prefix = `tidemark:${namespace}:${ANSWER_FORMAT}:`;
  const opened: Redis[] = [];

  const { redis, reasonOf } = connectClient(url, () => breaker.probe());
  opened.push(redis);
  const breaker = makeBreaker({
    // It writes, so that a Redis which is full or a replica counts as away.
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
    connect: (onReady) => {
      const client = connectClient(url, onReady);
      opened.push(client.redis);
      return client.redis;
    },
    close: () => {
      breaker.close();
      for (const each of opened) each.disconnect();
    },
  };
};
