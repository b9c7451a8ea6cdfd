import { Effect } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { stepTo } from "../../core/projection/projection.fixture.ts";
import { NOTHING_PROJECTED, Projection } from "../../core/projection/projection.ts";
import { STEP_EVENTS_MAX } from "../../core/projection/projector.ts";
import { foldBeside } from "./fold_beside.ts";

const test = suite("foldBeside");

/** Read models of one shard, which first lag by `head` events. `onPoll` runs before each poll. */
const makeFake = (head: number, onPoll: (fake: Fake) => void): Fake => {
  const fake: Fake = {
    head,
    checkpoint: 0,
    steps: [],
    service: {
      lag: Effect.sync(() => {
        onPoll(fake);
        return [{ shard: 0, head: fake.head, checkpoint: fake.checkpoint, seconds: 0 }];
      }),
      step: (_, limit) =>
        Effect.sync(() => {
          const projected = Math.min(limit, fake.head - fake.checkpoint);
          fake.checkpoint += projected;
          fake.steps.push(projected);
          return projected === 0 ? NOTHING_PROJECTED : stepTo(fake.checkpoint, projected);
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

test("it takes only full steps until the log is filled, and then the rest", async () => {
  let polls = 0;
  const fake = makeFake(STEP_EVENTS_MAX + 7, () => polls++);
  await fold(fake, () => polls > 3);
  assert.equal(fake.steps, [STEP_EVENTS_MAX, 7]);
});

test("it ends although others continue to append", async () => {
  const fake = makeFake(100, (one) => {
    one.head += 50;
  });
  await fold(fake, () => true);
  assert.ok(fake.checkpoint >= 150);
});

test("it waits for another projector that has the lease", async () => {
  let polls = 0;
  const fake = makeFake(10, (one) => {
    // The other projector finishes before the fourth poll.
    if (++polls === 4) one.checkpoint = 10;
  });
  const held = { ...fake.service, step: () => Effect.succeed(NOTHING_PROJECTED) };
  await fold({ ...fake, service: held }, () => true);
  assert.is(polls, 4);
});

test.run();
