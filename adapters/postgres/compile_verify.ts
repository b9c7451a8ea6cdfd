import type { ReadModel } from "../../core/projection/read_models.ts";
import { DIMENSION_SQL } from "./compile_step.ts";

/** The rows of a table that are not what the log says: `key`, `live` and `log`, null where there is none. */
export interface Verification {
  readonly table: string;
  readonly text: string;
}

/** Recounts a read model, but for what was skipped as poisoned. Numbers are written into the text: a cursor takes no parameters. */
export const verifyModel = (
  { name, dimensions }: ReadModel,
  shard: number,
  checkpoint: number,
): Verification => {
  const grouped = dimensions.map((dimension) => `${DIMENSION_SQL[dimension]} as ${dimension}`);
  const key = dimensions.map((dimension) => `'${dimension}', ${dimension}`).join(", ");
  return {
    table: name,
    text: `
select json_build_object(${key})::text as key, live.events as live, log.events as log
from (
  select ${grouped.join(", ")}, count(*) as events
  from tidemark.events e
  where e.shard = ${shard} and e.position + 0 <= ${checkpoint} and not exists (
    select from read_models.poisoned_events p where p.shard = e.shard and p.position = e.position
  )
  group by ${dimensions.map((_, i) => i + 1).join(", ")}
) log
full join (select * from read_models.${name} where shard = ${shard}) live
  using (${dimensions.join(", ")})
where live.events is distinct from log.events`,
  };
};

/**
 * Recounts the windows that are kept ready, by `type` or by `user_id`, and as a summary without a window
 * counts: with what was skipped as poisoned. A row that says 0 is as good as none there, because counts
 * of a window go down, too.
 */
export const verifyWindows = (
  table: "window_types" | "window_users",
  shard: number,
  checkpoint: number,
): Verification => {
  const by = table === "window_types" ? "type" : "user_id";
  return {
    table,
    text: `
select
  json_build_object('account_id', account_id, 'hours', hours, '${by}', ${by})::text as key,
  live.events as live, log.events as log
from (
  select w.account_id, w.hours, e.${by}, count(*) as events
  from read_models.windows w
  join tidemark.events e
    on e.shard = ${shard} and e.account_id = w.account_id and e.schema_version > 0
    and e.position + 0 <= ${checkpoint}
    and e.occurred_at >= w.counted_from and e.occurred_at < w.counted_to
  where w.shard = ${shard}
  group by 1, 2, 3
) log
full join (select * from read_models.${table} where shard = ${shard}) live
  using (account_id, hours, ${by})
where coalesce(live.events, 0) <> coalesce(log.events, 0)`,
  };
};
