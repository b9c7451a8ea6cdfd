import { identityOf } from "../../../core/event/event.ts";
import { fold, NO_ROWS, type Rows } from "../../../core/projection/read_model.ts";
import { READ_MODELS } from "../../../core/projection/read_models.ts";
import { complain, type Complaint } from "./complaint.fixture.ts";
import { isUnfoldable } from "./poison.fixture.ts";
import type { World } from "./world.fixture.ts";

/** Holds the read models against the log, folded from its beginning in one go. */
export const judgeReadModels = ({ backend }: World): ReadonlyArray<Complaint> =>
  backend.store.shards.flatMap(({ events, rows, poisoned, checkpoint }, shard) => {
    const wrong = READ_MODELS.flatMap((model) => {
      const expected = fold(
        model,
        NO_ROWS,
        events.filter((event) => !isUnfoldable(event)),
      );
      return differences(rows.get(model.name) ?? NO_ROWS, expected).map(
        (difference) => `${model.name} of shard ${shard}: ${difference}`,
      );
    });
    const wronglyPoisoned = events.flatMap((event) =>
      poisoned.has(event.position) === isUnfoldable(event)
        ? []
        : `${identityOf(event)} at ${event.position} of shard ${shard}`,
    );
    const behind =
      checkpoint === events.length ? [] : [`shard ${shard} is folded up to ${checkpoint}`];
    return [
      ...complain("read models are the fold of the log", [...wrong, ...behind]),
      ...complain("only what cannot be folded is poisoned", wronglyPoisoned),
    ];
  });

const differences = (actual: Rows, expected: Rows): ReadonlyArray<string> => {
  const keys = new Set([...actual.keys(), ...expected.keys()]);
  return [...keys].flatMap((key) => {
    const [has, should] = [actual.get(key)?.events ?? 0, expected.get(key)?.events ?? 0];
    return has === should ? [] : `${key} has ${has}, not ${should}`;
  });
};
