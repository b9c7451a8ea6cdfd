import { Effect, Exit, Scope } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import type { Invalidation, Invalidations } from "./invalidations.ts";

export interface OpenedInvalidations {
  /** Two processes, or their stand-ins, which receive each other's messages. */
  readonly nodes: readonly [Invalidations["Service"], Invalidations["Service"]];
  /** Returns once so many of the nodes receive what the other publishes. */
  readonly connected: (nodes: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** How many turns other tasks get, about 10 s, before a message counts as lost. */
const TURNS_MAX = 1_000;

/** What every adapter of `Invalidations` promises while its backend works. */
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
  /** What a node receives from now on, until it unsubscribes. */
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

  test("both processes receive what one publishes, in order and unchanged", async () => {
    const [first, second] = [await listen(0), await listen(1)];
    const published = Array.from({ length: 50 }, (_, i) => i + 1);
    for (const hi of published) await publish(0, hi);
    await second.until(50);
    assert.equal(second.heard, published.map(invalidation));
    assert.equal(first.heard, published.map(invalidation));
    await Promise.all([first.stop(), second.stop()]);
  });

  test("the publisher itself receives a message before `publish` returns", async () => {
    const { heard, stop } = await listen(0);
    Effect.runSync(opened.nodes[0].publish(invalidation(7)));
    assert.equal(heard, [invalidation(7)]);
    await stop();
  });

  test("a listener that has unsubscribed receives nothing, and the others do", async () => {
    const [first, second] = [await listen(1), await listen(1)];
    await first.stop();
    await publish(1, 8);
    assert.equal(second.heard.at(-1), invalidation(8));
    assert.not.ok(first.heard.some(({ hi }) => hi === 8));
    await second.stop();
  });

  test.run();
};
