import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { Effect } from "effect";
import type { Redis } from "ioredis";

import type { Invalidation, Invalidations } from "../../core/projection/invalidations.ts";
import type { Connection } from "./connection.ts";
import { readInvalidation, writeInvalidation } from "./invalidation_text.ts";

/** How long after Redis refused to subscribe it is tried again: the user may have been given the right. */
const RESUBSCRIBE_MS = 5_000;

/** The longest message that is looked at: a step touches some thousand accounts, and an id has at most 255 characters. */
const MESSAGE_CHARACTERS_MAX = 4_194_304;

/**
 * Invalidations between processes, over a channel of Redis. They are signed, so that nobody but a process of this log
 * can void what others keep. One that was heard before changes nothing.
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
  const tell = (invalidation: Invalidation): void => {
    for (const listener of listeners) listener(invalidation);
  };

  let listening = false;
  /** On a connection of its own: one that is subscribed may do nothing else. */
  const listen = (): void => {
    if (listening) return;
    listening = true;
    let attempts = 0;
    const subscribe = async (ready: Redis): Promise<void> => {
      const attempt = ++attempts;
      try {
        await ready.subscribe(channel);
        onSubscribed(undefined);
      } catch (error) {
        // Without an answer the connection is about to break, and it is done again on the next.
        if (!(error instanceof Error) || error.name !== "ReplyError") return;
        onSubscribed(error);
        await sleep(RESUBSCRIBE_MS, undefined, { ref: false });
        // Unless the connection broke: then it is done on the next.
        if (attempt === attempts && ready.status === "ready") await subscribe(ready);
      }
    };
    const subscriber = connect((ready) => void subscribe(ready));
    subscriber.on("message", (_channel: string, message: string) => {
      if (message.length > MESSAGE_CHARACTERS_MAX) return;
      const text = signature.verify(channel, message);
      const sent = text === undefined ? undefined : readInvalidation(text);
      if (sent !== undefined && sent.sender !== self) tell(sent.invalidation);
    });
  };

  return {
    publish: (invalidation) =>
      Effect.sync(() => {
        // This process waits neither for the way to Redis and back, nor for Redis to be there.
        tell(invalidation);
        const message = signature.sign(channel, writeInvalidation({ sender: self, invalidation }));
        void breaker.call("publish", () => redis.publish(channel, message));
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
