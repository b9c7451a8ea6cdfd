-- Makes the generation that is being built the live one, and keeps the old one as retired. Fails if
-- it lags behind the live one in any shard: checkpoints never go back. Call it with a lock_timeout,
-- and with the checkpoints of both locked.
--
-- No statement can see parts of both generations: every statement that reads several tables of the
-- read models names `checkpoints` first and holds its lock on that table until it ends. Statements
-- that already have the lock end before the rename; the others wait for it and then find the new
-- tables under the name.
create or replace function tidemark.flip_generation(p_number int) returns void
language plpgsql
as $$
declare
  v_live   int;
  v_schema text := 'read_models_' || p_number;
  v_behind int;
begin
  select number into strict v_live from tidemark.generations where state = 'live' for update;
  perform from tidemark.generations where number = p_number and state = 'building' for update;
  if not found then
    raise exception 'generation % is not being built', p_number;
  end if;
  lock table read_models.checkpoints in access exclusive mode;
  execute format(
    'select count(*) from read_models.checkpoints l left join %I.checkpoints b using (shard)
     where b.position is null or b.position < l.position', v_schema) into strict v_behind;
  if v_behind > 0 then
    raise exception 'generation % lags behind the live one in % shards', p_number, v_behind;
  end if;
  execute format(
    'insert into %I.window_requests select * from read_models.window_requests on conflict do nothing',
    v_schema);
  execute format('alter schema read_models rename to %I', 'read_models_' || v_live);
  execute format('alter schema %I rename to read_models', v_schema);
  update tidemark.generations set state = 'retired' where number = v_live;
  update tidemark.generations set state = 'live', flipped_at = now() where number = p_number;
end
$$;
