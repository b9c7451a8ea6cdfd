import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { Effect } from "effect";
import type { Redis } from "ioredis";

import type { Invalidation, Invalidations } from "../../core/projection/invalidations.ts";
import type { Connection } from "./connection.ts";

/** How long to wait before subscribing again if Redis refused it for want of a right. */
const RESUBSCRIBE_MS = 5_000;

/** Longer messages are ignored: a step touches at most some thousands of accounts. */
const MESSAGE_CHARACTERS_MAX = 4_194_304;

/**
 * Invalidations between processes, over a channel of Redis. They are signed, so that only a process
 * of this log can invalidate what others keep. Receiving one again changes nothing.
 */
export const makeRedisInvalidations = ({
  redis,
  breaker,
  prefix,
  signature,
  onSubscribed,
  connect,
}: Connection): Invalidations["Service"] => {
  const channel = `${prefix}invalidations`;
  const self = randomUUID();
  const listeners = new Set<(invalidation: Invalidation) => void>();
  const notify = (invalidation: Invalidation): void => {
    for (const listener of listeners) listener(invalidation);
  };

  let isListening = false;
  /** Uses another connection, because a connection that is subscribed can do nothing else. */
  const listen = (): void => {
    if (isListening) return;
    isListening = true;
    let attempts = 0;
    const subscribe = async (ready: Redis): Promise<void> => {
      const attempt = ++attempts;
      try {
        await ready.subscribe(channel);
        onSubscribed(undefined);
      } catch (error) {
        // Without a reply, the connection is about to break, and the next one subscribes.
        if (!(error instanceof Error) || error.name !== "ReplyError") return;
        onSubscribed(error);
        await sleep(RESUBSCRIBE_MS, undefined, { ref: false });
        // If the connection has broken since, the next one subscribes.
        if (attempt === attempts && ready.status === "ready") await subscribe(ready);
      }
    };
    const subscriber = connect((ready) => void subscribe(ready));
    subscriber.on("message", (_channel: string, message: string) => {
      if (message.length > MESSAGE_CHARACTERS_MAX) return;
      const text = signature.verify(channel, message);
      const received = text === undefined ? undefined : readMessage(text);
      if (received !== undefined && received.sender !== self) notify(received.invalidation);
    });
  };

  return {
    publish: (invalidation) =>
      Effect.sync(() => {
        // The listeners of this process do not depend on Redis, nor wait for the round trip.
        notify(invalidation);
        const message: Message = { sender: self, invalidation };
        const signed = signature.sign(channel, JSON.stringify(message));
        void breaker.call("publish", () => redis.publish(channel, signed));
      }),

    subscribe: (listener) =>
      Effect.asVoid(
        Effect.acquireRelease(
          Effect.sync(() => {
            listen();
            listeners.add(listener);
          }),
          () => Effect.sync(() => listeners.delete(listener)),
        ),
      ),
  };
};

interface Message {
  /** The process that sent it, which has already notified its own listeners. */
  readonly sender: string;
  readonly invalidation: Invalidation;
}

/** Reads a message; undefined for anything else that is published on the channel. */
const readMessage = (text: string): Message | undefined => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { sender, invalidation } = fieldsOf<Message>(value);
  return typeof sender === "string" && isInvalidation(invalidation)
    ? { sender, invalidation }
    : undefined;
};

const isInvalidation = (value: unknown): value is Invalidation => {
  const { shard, accounts, lo, hi } = fieldsOf<Invalidation>(value);
  return (
    [shard, lo, hi].every((number) => Number.isSafeInteger(number) && Number(number) >= 0) &&
    Array.isArray(accounts) &&
    accounts.every((account) => typeof account === "string")
  );
};

/** The fields of a value that should be a record. */
const fieldsOf = <A>(value: unknown): Partial<Record<keyof A, unknown>> => value ?? {};
