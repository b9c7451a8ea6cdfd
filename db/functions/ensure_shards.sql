-- Creates the shards of a new log, or checks that an existing log has p_shards of them. The number
-- is fixed by the first call, because every row stores the shard of its account.
create or replace function tidemark.ensure_shards(p_shards int) returns void
language plpgsql
as $$
declare
  v_existing int;
begin
  -- Looks before it locks: a role that may not write to the log may still check the number.
  select count(*) into strict v_existing from tidemark.log_heads;
  if v_existing = 0 then
    -- Two services that start together must not both create the shards.
    lock table tidemark.log_heads in share row exclusive mode;
    select count(*) into strict v_existing from tidemark.log_heads;
  end if;
  if v_existing = p_shards then
    return;
  end if;
  if v_existing > 0 then
    raise exception 'this log has % shards, not %', v_existing, p_shards
      using errcode = 'invalid_parameter_value',
            hint = format('Set SHARDS=%s. The number of shards of a log cannot change.', v_existing);
  end if;
  for v_shard in 0 .. p_shards - 1 loop
    -- Analyzed only after half a million events more. By default autovacuum analyzes a young log on
    -- every round, which takes a processor 100 ms per shard while requests wait; no plan needs more
    -- than the table's size.
    execute format(
      'create table tidemark.events_%s partition of tidemark.events for values in (%s)
       with (autovacuum_analyze_threshold = 500000)',
      v_shard, v_shard);
    insert into tidemark.log_heads (shard, position) values (v_shard, 0);
    insert into read_models.checkpoints (shard, position) values (v_shard, 0);
  end loop;
end
$$;
