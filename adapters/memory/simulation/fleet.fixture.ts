import { Effect } from "effect";

import { type Process, type Roles, startProcess } from "./process.fixture.ts";
import type { World } from "./world.fixture.ts";

/** All processes of the service, of this moment and of the past. */
export interface Fleet {
  /** One of the processes that take requests now. */
  readonly any: () => Process | undefined;
  readonly running: () => ReadonlyArray<Process>;
  /** All that there ever were, also those that died. */
  readonly started: () => ReadonlyArray<Process>;
  /** Those that were stopped and had to end what they had in hand. */
  readonly stopped: () => ReadonlyArray<Process>;
}

const RESTART_MS = { min: 1, max: 3_000 };

/** Starts the processes of a world. Each that ends is followed by another with the same roles. */
export const startFleet = Effect.fnUntraced(function* (world: World) {
  const { random, conditions } = world;
  const started: Process[] = [];
  const running = new Set<Process>();

  const keepOne = Effect.fnUntraced(function* (slot: string, roles: Roles) {
    for (let generation = 1; ; generation++) {
      const process = yield* startProcess(world, `${slot}.${generation}`, roles);
      started.push(process);
      running.add(process);
      yield* process.ended;
      running.delete(process);
      yield* Effect.sleep(random.magnitude(RESTART_MS.min, RESTART_MS.max));
    }
  });
  for (let i = 0; i < conditions.processes; i++) {
    // The first does everything, so that nothing stays undone for good.
    const roles: Roles = {
      worker: i === 0 || random.chance(0.7),
      projector: i === 0 || random.chance(0.8),
    };
    yield* Effect.forkDetach(keepOne("abc".charAt(i), roles));
  }

  const fleet: Fleet = {
    any: () => (running.size === 0 ? undefined : random.pick([...running])),
    running: () => [...running],
    started: () => started,
    stopped: () => started.filter((process) => !running.has(process) && process.isAlive()),
  };
  return fleet;
});
