import type { ReadModel } from "../../core/projection/read_models.ts";
import { DIMENSION_SQL } from "./compile_step.ts";
import { schemaOf } from "./in_generation.ts";
import type { Statement } from "./pool.ts";

/**
 * Compiles a read model to the statement that compares a shard of it in the live generation with another
 * one. What is compared are sums of a hash of each row's key, as often as the row counts events: they add
 * up like the counts themselves, so that the events which only one of both has folded can be added from
 * the log, and nobody has to stand still. One statement sees one moment.
 * Parameter: $1 shard. Returns how many events more the live rows count, and whether they are the same.
 */
export const compileCompare = ({ name, dimensions }: ReadModel, generation: number): Statement => {
  const other = schemaOf(generation);
  const row = `hash_record_extended(row(${dimensions.join(", ")}), 0)`;
  const event = `hash_record_extended(row(${dimensions.map((each) => DIMENSION_SQL[each]).join(", ")}), 0)`;
  return {
    name: `compare_${name}_${generation}`,
    text: `
with positions as materialized (
  select l.position as live, o.position as other
  from read_models.checkpoints l join ${other}.checkpoints o using (shard)
  where l.shard = $1
),
counted (events, hash) as (
  select events, ${row} from read_models.${name} where shard = $1
  union all
  select -events, ${row} from ${other}.${name} where shard = $1
  union all
  -- What only one of them has folded.
  select case when other > live then 1 else -1 end, ${event}
  from positions
  join tidemark.events e
    on e.shard = $1 and e.position > least(live, other) and e.position <= greatest(live, other)
  union all
  -- What the live one has skipped.
  select 1, ${event}
  from positions
  join read_models.poisoned_events p on p.shard = $1 and p.position <= live
  join tidemark.events e on e.shard = $1 and e.position = p.position
),
sums as (
  select
    coalesce(sum(events), 0) as excess,
    -- Two halves of the hash, so that no product leaves the range of a bigint.
    coalesce(sum(events * (hash & 2147483647)), 0) as low,
    coalesce(sum(events * ((hash >> 32) & 2147483647)), 0) as high
  from counted
)
select excess::bigint as excess, excess = 0 and low = 0 and high = 0 as same from sums`,
  };
};
