-- A shard is analyzed once it has grown by half a million events and a tenth. By Postgres's own settings a young
-- log is analyzed every time autovacuum looks, for 100 ms of a processor a shard, while requests wait; and no plan
-- on it asks for more than its size, which every vacuum tells.

-- As in 0004_shards.sql but for these settings.
create or replace function tidemark.ensure_shards(p_shards int) returns void
language plpgsql
as $$
declare
  v_existing int;
begin
  -- Two services that start at once must not both create.
  lock table tidemark.log_heads in share row exclusive mode;
  select count(*) into v_existing from tidemark.log_heads;
  if v_existing = p_shards then
    return;
  end if;
  if v_existing > 0 then
    raise exception 'this log has % shards, not %', v_existing, p_shards
      using errcode = 'invalid_parameter_value',
            hint = format('Set SHARDS=%s. The number of shards of a log cannot change.', v_existing);
  end if;
  for v_shard in 0 .. p_shards - 1 loop
    execute format(
      'create table tidemark.events_%s partition of tidemark.events for values in (%s)
       with (autovacuum_analyze_threshold = 500000)',
      v_shard, v_shard);
    insert into tidemark.log_heads (shard, position) values (v_shard, 0);
    insert into read_models.checkpoints (shard, position) values (v_shard, 0);
  end loop;
end
$$;

do $$
declare
  v_shard int;
begin
  for v_shard in select shard from tidemark.log_heads loop
    execute format(
      'alter table tidemark.events_%s set (autovacuum_analyze_threshold = 500000)', v_shard);
  end loop;
end
$$;
