import { Clock, Effect } from "effect";

import { STATIONS } from "./faults.fixture.ts";
import type { Fleet } from "./fleet.fixture.ts";
import type { World } from "./world.fixture.ts";

const OUTAGE_MS = { min: 100, max: 12_000 };

/** What happens to whole processes and stations, until the faults are over. */
export const storm = Effect.fnUntraced(function* (world: World, fleet: Fleet) {
  const { random, faults, trace, conditions } = world;
  const { stormMs, stallMaxMs } = conditions;
  const endsAt = (yield* Clock.currentTimeMillis) + stormMs;

  const outage = Effect.gen(function* () {
    // One database holds them all, but a pool or a table can be away for itself.
    faults.away = random.chance(0.5) ? STATIONS : [random.pick(STATIONS)];
    const ms = random.magnitude(OUTAGE_MS.min, OUTAGE_MS.max);
    trace.note("world", `away for ${ms} ms: ${faults.away.join(", ")}`);
    yield* Effect.sleep(ms);
    faults.away = [];
  });

  while ((yield* Clock.currentTimeMillis) < endsAt) {
    yield* Effect.sleep(random.between(100, 1_900));
    const victim = fleet.any();
    if (faults.happens("killed")) victim?.crash("of a signal");
    else if (faults.happens("frozen")) victim?.freeze(random.magnitude(500, stallMaxMs));
    else if (faults.happens("stopped") && victim !== undefined) yield* victim.stop;
    if (faults.happens("outage")) yield* outage;
  }
  faults.end();
  trace.note("world", "the faults are over");
});
