import { Effect } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { NOTHING_PROJECTED, Projection } from "../../core/projection/projection.ts";
import { STEP_EVENTS_MAX } from "../../core/projection/projector.ts";
import { foldBeside } from "./fold_beside.ts";

const test = suite("folding beside a log that is being filled");

/** Read models of one shard, which are `head` events behind at first; `onLook` runs before each look. */
const makeFake = (head: number, onLook: (fake: Fake) => void): Fake => {
  const fake: Fake = {
    head,
    checkpoint: 0,
    steps: [],
    service: {
      lag: Effect.sync(() => {
        onLook(fake);
        return [{ shard: 0, head: fake.head, checkpoint: fake.checkpoint, seconds: 0 }];
      }),
      step: (_, limit) =>
        Effect.sync(() => {
          const projected = Math.min(limit, fake.head - fake.checkpoint);
          fake.checkpoint += projected;
          fake.steps.push(projected);
          return { ...NOTHING_PROJECTED, projected, checkpoint: fake.checkpoint };
        }),
      lagging: Effect.die("not needed"),
      skip: () => Effect.die("not needed"),
      upkeep: Effect.die("not needed"),
      checkpoints: Effect.die("not needed"),
    },
  };
  return fake;
};

interface Fake {
  head: number;
  checkpoint: number;
  readonly steps: number[];
  readonly service: Projection["Service"];
}

const fold = (fake: Fake, isFilled: () => boolean): Promise<void> =>
  Effect.runPromise(
    Effect.provideService(
      foldBeside(isFilled, () => {}),
      Projection,
      fake.service,
    ),
  );

test("only full steps are taken until it is filled, and then what is left", async () => {
  let looks = 0;
  const fake = makeFake(STEP_EVENTS_MAX + 7, () => looks++);
  await fold(fake, () => looks > 3);
  assert.equal(fake.steps, [STEP_EVENTS_MAX, 7]);
});

test("it ends although others go on appending", async () => {
  const fake = makeFake(100, (one) => {
    one.head += 50;
  });
  await fold(fake, () => true);
  assert.ok(fake.checkpoint >= 150);
});

test("it waits for another projector that holds the lease", async () => {
  let looks = 0;
  const fake = makeFake(10, (one) => {
    // The other one is done at the fourth look.
    if (++looks === 4) one.checkpoint = 10;
  });
  const held = { ...fake.service, step: () => Effect.succeed(NOTHING_PROJECTED) };
  await fold({ ...fake, service: held }, () => true);
  assert.is(looks, 4);
});

test.run();
