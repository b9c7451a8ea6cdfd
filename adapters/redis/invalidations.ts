import { randomUUID } from "node:crypto";

import { Effect } from "effect";

import type { Invalidation, Invalidations } from "../../core/projection/invalidations.ts";
import type { Connection } from "./connection.ts";
import { readInvalidation, writeInvalidation } from "./invalidation_text.ts";

/** Invalidations between processes, over a channel of Redis. */
export const makeRedisInvalidations = ({
  redis,
  breaker,
  prefix,
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
    const subscriber = connect((ready) => {
      // If it fails the connection is about to break, and it is done again on the next.
      ready.subscribe(channel).catch(() => {});
    });
    subscriber.on("message", (_channel: string, message: string) => {
      const sent = readInvalidation(message);
      if (sent !== undefined && sent.sender !== self) tell(sent.invalidation);
    });
  };

  return {
    publish: (invalidation) =>
      Effect.sync(() => {
        // This process waits neither for the way to Redis and back, nor for Redis to be there.
        tell(invalidation);
        const message = writeInvalidation({ sender: self, invalidation });
        void breaker.call(() => redis.publish(channel, message));
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
