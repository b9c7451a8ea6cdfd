import { randomUUID } from "node:crypto";

import { Effect } from "effect";

import type { Invalidation, Invalidations } from "../../core/projection/invalidations.ts";
import type { Connection } from "./connection.ts";
import { readInvalidation, writeInvalidation } from "./invalidation_text.ts";

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
