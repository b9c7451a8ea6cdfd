import type { ReadModel } from "../../core/projection/read_models.ts";
import { DIMENSION_SQL } from "./compile_step.ts";
import type { Statement } from "./pool.ts";

/**
 * Compiles a read model to the statement that folds a large range of positions into it:
 * one pass over that part of the log, and the groups inserted in the order of the primary key, so that a
 * large index is written page by page. Windows are not its concern.
 * The first range of a shard meets no row of it, and need not look for one at twice the cost.
 * Parameters: $1 shard, $2 the position behind which the range begins, $3 its last position.
 *
 * Without a name: then it is planned for its range, and not for any range.
 */
export const compileFold = (
  { name, dimensions }: ReadModel,
  range: "first" | "later",
): Statement => {
  const columns = dimensions.join(", ");
  const grouped = dimensions.map((dimension) => `${DIMENSION_SQL[dimension]} as ${dimension}`);
  return {
    name: "",
    text: `
-- Apart from the sort, so that it is counted in a hash table: there are far fewer groups than events, which
-- the planner cannot know, and it would sort the events.
with counts as materialized (
  select ${grouped.join(", ")}, count(*) as events
  from tidemark.events
  where shard = $1::smallint and position > $2::bigint and position <= $3::bigint
  group by ${dimensions.map((_, i) => i + 1).join(", ")}
)
insert into read_models.${name} as t (shard, ${columns}, events)
select $1::smallint, ${columns}, events from counts
order by ${columns}
${range === "first" ? "" : `on conflict (shard, ${columns}) do update set events = t.events + excluded.events`}`,
  };
};
