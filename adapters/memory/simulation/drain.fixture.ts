import { Effect, Option } from "effect";

import { POLL_FOLLOW_MS } from "../../../core/poll.ts";
import type { JobId } from "../../../core/queue/queue.ts";
import { complain } from "./complaint.fixture.ts";
import { LEASE_MS } from "./conditions.fixture.ts";
import type { Fleet } from "./fleet.fixture.ts";
import type { World } from "./world.fixture.ts";

/** How often it is looked whether all is done. */
const LOOK_MS = 100;

/**
 * How long what is left may take when nothing goes wrong any more: claims have to lapse, perhaps twice. And whoever
 * was given less than it asked for takes it for all that there is, and keeps its pace before it looks for more: in
 * a world of the smallest takes and steps each event may cost one of either.
 */
const patienceMs = ({ ledger }: World): number =>
  20_000 + 2 * LEASE_MS + 2 * POLL_FOLLOW_MS * ledger.events.length;

/** How long is waited behind that for what must change nothing: late attempts, stale claims. */
const REST_MS = 1_000;

/** Waits until everything is appended and folded, and complains of what never gets there. */
export const drain = Effect.fnUntraced(function* (world: World, fleet: Fleet) {
  const { faults, conditions, backend } = world;
  const ended = new Set<JobId>();
  const isDrained = Effect.gen(function* () {
    for (const id of backend.jobs.keys()) {
      if (!ended.has(id) && (yield* hasEnded(world, id))) ended.add(id);
    }
    return (
      ended.size === backend.jobs.size &&
      backend.store.shards.every(({ events, checkpoint }) => checkpoint === events.length)
    );
  });
  // What is stalled since the storm is not lost: it comes back, and must do no harm. Nor are the requests that a
  // process which stands still has not come to yet.
  const isCalm = Effect.sync(
    () =>
      faults.underWay() === 0 &&
      [...fleet.running(), ...fleet.stopped()].every((process) => !process.isFrozen()),
  );
  const calmed = yield* eventually(isCalm, 3 * conditions.stallMaxMs);
  const withinMs = patienceMs(world);
  const drained = calmed && (yield* eventually(isDrained, withinMs));
  yield* Effect.sleep(REST_MS);

  const unended = drained ? [] : [`not in the ${withinMs} ms after the last fault`];
  const dead = fleet
    .running()
    .flatMap((process) =>
      process.endedLoops().map((loop) => `the ${loop} of ${process.name} ended`),
    );
  const unstopped = fleet
    .stopped()
    .filter((process) => process.endedLoops().length < process.loops)
    .map((process) => `${process.name} was stopped and goes on`);
  return complain("everything drains", [...unended, ...dead, ...unstopped]);
});

const hasEnded = ({ backend }: World, id: JobId): Effect.Effect<boolean> =>
  Effect.map(Effect.orDie(backend.queue.find(id)), (found) =>
    Option.exists(found, ({ state }) => state === "completed" || state === "dead"),
  );

const eventually = Effect.fnUntraced(function* (
  condition: Effect.Effect<boolean>,
  withinMs: number,
) {
  for (let waitedMs = 0; waitedMs <= withinMs; waitedMs += LOOK_MS) {
    if (yield* condition) return true;
    yield* Effect.sleep(LOOK_MS);
  }
  return false;
});
