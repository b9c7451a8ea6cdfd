import { Effect, Exit, Scope } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import type { Invalidation, Invalidations } from "./invalidations.ts";

export interface OpenedInvalidations {
  /** Two processes, or what stands for them; each hears the other. */
  readonly nodes: readonly [Invalidations["Service"], Invalidations["Service"]];
  /** Returns once so many of the nodes hear what the other publishes. */
  readonly connected: (nodes: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** How often the other tasks may take their turn, some 10 s, before something counts as never come. */
const TURNS_MAX = 1_000;

/** What every adapter of `Invalidations` promises while nothing is wrong with what is behind it. */
export const invalidationsConformance = (
  adapter: string,
  open: () => Promise<OpenedInvalidations>,
): void => {
  const test = suite(`Invalidations: ${adapter}`);
  let opened: OpenedInvalidations;

  test.before(async () => {
    opened = await open();
  });
  test.after(() => opened.close());

  const invalidation = (hi: number): Invalidation => ({
    shard: 1,
    accounts: ["acme", "ä\u2028😀"],
    lo: hi - 1,
    hi,
  });
  const publish = (node: 0 | 1, hi: number) =>
    Effect.runPromise(opened.nodes[node].publish(invalidation(hi)));
  const listening = new Set<number>();
  /** What a node hears from now on, until it is told to stop. */
  const listen = async (node: 0 | 1) => {
    const heard: Invalidation[] = [];
    const scope = Scope.makeUnsafe();
    const subscription = opened.nodes[node].subscribe((one) => void heard.push(one));
    await Effect.runPromise(Effect.provideService(subscription, Scope.Scope, scope));
    await opened.connected(listening.add(node).size);
    const until = async (count: number): Promise<void> => {
      for (let turn = 0; heard.length < count; turn++) {
        if (turn === TURNS_MAX) throw new Error(`heard ${heard.length} of ${count}`);
        await Effect.runPromise(Effect.sleep(10));
      }
    };
    return { heard, until, stop: () => Effect.runPromise(Scope.close(scope, Exit.void)) };
  };

  test("what one publishes both hear, in its order and as it was published", async () => {
    const [first, second] = [await listen(0), await listen(1)];
    const published = Array.from({ length: 50 }, (_, i) => i + 1);
    for (const hi of published) await publish(0, hi);
    await second.until(50);
    assert.equal(second.heard, published.map(invalidation));
    assert.equal(first.heard, published.map(invalidation));
    await Promise.all([first.stop(), second.stop()]);
  });

  test("who publishes hears it before anything else happens", async () => {
    const { heard, stop } = await listen(0);
    Effect.runSync(opened.nodes[0].publish(invalidation(7)));
    assert.equal(heard, [invalidation(7)]);
    await stop();
  });

  test("who has stopped listening hears nothing, and the others go on", async () => {
    const [first, second] = [await listen(1), await listen(1)];
    await first.stop();
    await publish(1, 8);
    assert.equal(second.heard.at(-1), invalidation(8));
    assert.not.ok(first.heard.some(({ hi }) => hi === 8));
    await second.stop();
  });

  test.run();
};
