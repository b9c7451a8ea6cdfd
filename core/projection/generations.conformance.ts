import { Effect, Exit, Scope } from "effect";
import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { collapse } from "../event/batch.ts";
import { anEvent, eventStream } from "../event/event.fixture.ts";
import type { Event } from "../event/event.ts";
import type { EventLog } from "../log/event_log.ts";
import { type Building, Generations } from "./generations.ts";
import type { Projection } from "./projection.ts";
import {
  fold,
  NO_ROWS,
  READ_MODEL_VERSIONS,
  READ_MODELS,
  type ReadModel,
  type Row,
} from "./read_models.ts";
import { rebuild, type RebuildProgress } from "./rebuild.ts";

export interface OpenedGenerations {
  readonly log: EventLog["Service"];
  readonly projection: Projection["Service"];
  readonly generations: Generations["Service"];
  /** The rows of a live read model on one shard, in any order. */
  readonly rows: (model: ReadModel, shard: number) => Promise<ReadonlyArray<Row>>;
  /** Increments the count of some live row of a shard. */
  readonly spoil: (model: ReadModel, shard: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

const SHARDS = [0, 1];

/** What may happen while a generation is built, in any order. */
type Action =
  | { readonly do: "append"; readonly shard: number; readonly events: ReadonlyArray<Event> }
  | { readonly do: "project"; readonly shard: number; readonly limit: number }
  | { readonly do: "fold"; readonly shard: number; readonly limit: number }
  | { readonly do: "skip"; readonly shard: number }
  | { readonly do: "compare"; readonly shard: number }
  | { readonly do: "prepare" }
  | { readonly do: "resume" };

const shard = fc.constantFrom(...SHARDS);
const limit = fc.integer({ min: 1, max: 40 });
const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({
    do: fc.constant("append" as const),
    shard,
    events: eventStream({ accounts: ["x", "y", "z"], eventIds: 40 }, 30),
  }),
  fc.record({ do: fc.constant("project" as const), shard, limit }),
  fc.record({ do: fc.constant("fold" as const), shard, limit }),
  fc.record({ do: fc.constant("skip" as const), shard }),
  fc.record({ do: fc.constant("compare" as const), shard }),
  fc.record({ do: fc.constant("prepare" as const) }),
  fc.record({ do: fc.constant("resume" as const) }),
);

/** What every adapter of `Generations` promises. `open` makes an empty log of 2 shards or more. */
export const generationsConformance = (
  adapter: string,
  open: () => Promise<OpenedGenerations>,
): void => {
  const test = suite(`Generations: ${adapter}`);
  let opened: OpenedGenerations;
  let namespaces = 0;
  const scopes: Scope.Closeable[] = [];

  test.before(async () => {
    opened = await open();
  });
  // A failed test may have left a build open, which would block the others.
  test.after.each(async () => {
    for (const scope of scopes.splice(0)) await run(Scope.close(scope, Exit.void));
  });
  test.after(() => opened.close());

  const run = Effect.runPromise;
  const append = (at: number, events: ReadonlyArray<Event>) =>
    run(opened.log.append(at, collapse(events).events));
  const project = (at: number, most = 1_000_000) => run(opened.projection.step(at, most));
  const positions = async () =>
    (await run(opened.projection.checkpoints)).toSorted((a, b) => a.shard - b.shard);
  const states = async () =>
    (await run(opened.generations.list)).map(({ number, state }) => `${number} ${state}`);
  const sorted = (rows: Iterable<Row>): ReadonlyArray<string> =>
    [...rows].map((row) => JSON.stringify([row.key, row.events])).toSorted();

  /** A build, and what ends it as the end of its process would. */
  const build = async (): Promise<{ building: Building; end: () => Promise<void> }> => {
    const scope = Scope.makeUnsafe();
    scopes.push(scope);
    const building = await run(Effect.provideService(opened.generations.build, Scope.Scope, scope));
    return { building, end: () => run(Scope.close(scope, Exit.void)) };
  };
  const rebuildAll = (acceptDifferences = false, told: RebuildProgress[] = []) =>
    rebuild({ acceptDifferences, shardsAtOnce: 2, report: (one) => void told.push(one) }).pipe(
      Effect.provideService(Generations, opened.generations),
    );
  /** Asserts that the live rows are the fold of the log up to the checkpoint. */
  const assertRowsAreTheFold = async (skipped: ReadonlySet<string> = new Set()): Promise<void> => {
    for (const { shard: at, position } of await positions()) {
      const events = (await run(opened.log.read(at, 0, position))).filter(
        (event) => !skipped.has(`${at} ${event.position}`),
      );
      for (const model of READ_MODELS) {
        const expected = fold(model, NO_ROWS, events).values();
        assert.equal(sorted(await opened.rows(model, at)), sorted(expected), model.name);
      }
    }
  };

  test("the first generation is live, with the read models of this version", async () => {
    const [first, ...others] = await run(opened.generations.list);
    assert.equal(
      [first?.number, first?.state, first?.versions, others],
      [1, "live", READ_MODEL_VERSIONS, []],
    );
  });

  test("a build becomes the fold of the log, however appends, steps, skips and interruptions interleave with it", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 25 }), async (actions) => {
        const prefix = `account-${++namespaces}`;
        let { building, end } = await build();
        const { number } = building.generation;
        for (const one of actions) {
          switch (one.do) {
            case "append":
              await append(
                one.shard,
                one.events.map((event) => ({
                  ...event,
                  accountId: `${prefix}-${event.accountId}`,
                })),
              );
              break;
            case "project":
              await project(one.shard, one.limit);
              break;
            case "skip": {
              const at = (await positions())[one.shard]?.position ?? 0;
              await run(opened.projection.skip(one.shard, at + 1, "why"));
              break;
            }
            case "fold":
              assert.ok((await run(building.fold(one.shard, one.limit))) <= one.limit);
              break;
            case "compare":
              assert.equal(await run(building.compare(one.shard)), []);
              break;
            case "prepare":
              while (await run(building.prepare));
              break;
            case "resume":
              await end();
              ({ building, end } = await build());
              assert.is(building.generation.number, number);
              break;
          }
        }
        const before = await positions();
        await run(building.flip);
        await end();
        for (const [i, { position, generation }] of (await positions()).entries()) {
          assert.ok(position >= (before[i]?.position ?? 0), "a checkpoint went back");
          assert.is(generation, number);
        }
        // Events that the previous generation had skipped are counted now.
        await assertRowsAreTheFold();
        await Promise.all(SHARDS.map((at) => project(at)));
        await assertRowsAreTheFold();
        await run(opened.generations.drop(number - 1));
        assert.equal(await states(), [`${number} live`]);
      }),
      { numRuns: 12 },
    );
  });

  test("a rebuild succeeds while events are appended and folded, and reports its progress", async () => {
    const accountId = `account-${++namespaces}`;
    const events = (from: number) =>
      Array.from({ length: 50 }, (_, i) => anEvent({ accountId, eventId: `${from + i}` }));
    await append(0, events(0));
    const told: RebuildProgress[] = [];
    const traffic = async () => {
      for (let from = 50; from < 500; from += 50) {
        await append(0, events(from));
        await project(0, 70);
      }
    };
    const [rebuilt] = await Promise.all([run(rebuildAll(false, told)), traffic()]);
    assert.equal(rebuilt.differences, []);
    await Promise.all(SHARDS.map((at) => project(at)));
    await assertRowsAreTheFold();
    assert.equal(
      [told[0], told.at(-1)],
      [
        { _tag: "Started", generation: rebuilt.generation, resumed: false },
        { _tag: "Comparing", shards: 2, of: 2 },
      ],
    );
    assert.ok(told.some((one) => one._tag === "Folding" && one.folded >= 50));
  });

  test("wrong live rows are reported, and stay until the difference is accepted", async () => {
    const [model] = READ_MODELS;
    if (model === undefined) throw new Error("there is none");
    await append(1, [anEvent({ accountId: `account-${++namespaces}` })]);
    await project(1);
    await opened.spoil(model, 1);
    const live = (await positions())[0]?.generation ?? 0;
    const refused = await run(Effect.flip(rebuildAll()));
    const differences = [{ shard: 1, readModel: model.name, excess: 1 }];
    assert.is(refused._tag, "ReadModelsDiffer");
    assert.equal("differences" in refused && refused.differences, differences);
    assert.ok((await states()).includes(`${live} live`));
    const rebuilt = await run(rebuildAll(true));
    const compared = READ_MODELS.map(({ name }) => name);
    assert.equal(rebuilt, { generation: live + 1, compared, differences });
    await assertRowsAreTheFold();
  });

  test("only one process builds or drops at a time, and its end of any kind admits the next", async () => {
    const { building, end } = await build();
    const { number } = building.generation;
    assert.is((await run(Effect.flip(rebuildAll())))._tag, "GenerationsBusy");
    assert.is((await run(Effect.flip(opened.generations.drop(number))))._tag, "GenerationsBusy");
    await end();
    const again = await build();
    assert.is(again.building.generation.number, number);
    await again.end();
    assert.is(await run(opened.generations.drop(number)), "dropped");
  });

  test("the live generation is never dropped, others are, and unknown ones are reported", async () => {
    const { generation } = await run(rebuildAll());
    assert.is(await run(opened.generations.drop(generation)), "live");
    assert.is(await run(opened.generations.drop(generation + 1)), "unknown");
    for (const { number, state } of await run(opened.generations.list)) {
      if (state === "retired") assert.is(await run(opened.generations.drop(number)), "dropped");
    }
    assert.equal(await states(), [`${generation} live`]);
    await assertRowsAreTheFold();
  });

  test("each generation reports its lag behind the log", async () => {
    const { building, end } = await build();
    await append(0, [anEvent({ accountId: `account-${++namespaces}` })]);
    const live = (await run(opened.generations.list)).find(({ state }) => state === "live");
    if (live === undefined) throw new Error("none is live");
    const [liveLag] = await run(opened.generations.lag(live));
    const [lag] = await run(opened.generations.lag(building.generation));
    assert.equal([lag?.shard, lag?.checkpoint, lag?.head], [0, 0, liveLag?.head]);
    assert.is((liveLag?.head ?? 0) - (liveLag?.checkpoint ?? 0), 1);
    const [own] = await run(building.lag);
    assert.equal([own?.shard, own?.checkpoint, own?.head], [0, 0, liveLag?.head]);
    await end();
  });

  test.run();
};
