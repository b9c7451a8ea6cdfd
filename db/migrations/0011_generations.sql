-- Generations of the read models. Each is a schema of its own: `read_models` is the live one, whatever its
-- number; another is read_models_<number>. The next one is built beside the live one and takes over its name.

create table tidemark.generations (
  number     int         primary key,
  state      text        not null check (state in ('building', 'live', 'retired')),
  -- The version of each read model (core/projection/read_models.ts) that it is built with.
  versions   jsonb       not null,
  started_at timestamptz not null default now(),
  flipped_at timestamptz
);

create unique index generations_one_each on tidemark.generations (state) where state <> 'retired';

insert into tidemark.generations (number, state, versions, flipped_at)
values (1, 'live', '{"activity_by_type": 1}', now());

-- Who reads a checkpoint learns with it which generation was read.
alter table read_models.checkpoints add column generation int not null default 1;

-- Makes the schema of the next generation, like the live one but empty: its tables with their settings,
-- indexes and grants, its functions, and a checkpoint of each shard at the begin of the log.
-- Returns its number.
create function tidemark.begin_generation(p_versions jsonb) returns int
language plpgsql
-- The functions are copied as they are: their bodies name `read_models`, so that they work on whichever
-- generation is live. Nobody calls them before they are that themselves.
set check_function_bodies = off
as $$
declare
  v_number    int;
  v_schema    text;
  v_statement text;
begin
  select max(number) + 1 into strict v_number from tidemark.generations;
  v_schema := 'read_models_' || v_number;
  insert into tidemark.generations (number, state, versions) values (v_number, 'building', p_versions);

  -- All that is made from here on belongs to whom the live one belongs to, whoever asks for it.
  perform set_config('role', pg_get_userbyid(nspowner), true)
  from pg_namespace where nspname = 'read_models';
  execute format('create schema %I', v_schema);
  for v_statement in
    with live_tables as (
      select oid, relname, reloptions, relacl from pg_class
      where relnamespace = 'read_models'::regnamespace and relkind = 'r'
    )
    select statement
    from (
      select 1 as step, format(
        'create table %I.%I (like read_models.%I including all excluding indexes)%s',
        v_schema, relname, relname, ' with (' || array_to_string(reloptions, ', ') || ')'
      ) as statement
      from live_tables
      union all
      -- By their definitions: `like` would give the indexes other names.
      select 2, format(
        'alter table %I.%I add constraint %I %s', v_schema, relname, conname, pg_get_constraintdef(c.oid))
      from live_tables t join pg_constraint c on c.conrelid = t.oid and c.contype in ('p', 'u')
      union all
      select 3, replace(pg_get_indexdef(indexrelid), ' ON read_models.', format(' ON %I.', v_schema))
      from live_tables t join pg_index i on i.indrelid = t.oid
      where not exists (select from pg_constraint where conindid = i.indexrelid)
      union all
      select 4, regexp_replace(pg_get_functiondef(oid), ' read_models\.', format(' %I.', v_schema))
      from pg_proc where pronamespace = 'read_models'::regnamespace
      union all
      select 5, format('grant %s on %I.%I to %s', privilege_type, v_schema, relname,
        case grantee when 0 then 'public' else grantee::regrole::text end)
      from live_tables, aclexplode(relacl)
      union all
      select 5, format('grant %s on schema %I to %s', privilege_type, v_schema,
        case grantee when 0 then 'public' else grantee::regrole::text end)
      from pg_namespace, aclexplode(nspacl) where nspname = 'read_models'
    ) statements
    order by step
  loop
    execute v_statement;
  end loop;
  execute format(
    'alter table %I.checkpoints alter column generation set default %s', v_schema, v_number);
  execute format(
    'insert into %I.checkpoints (shard, position) select shard, 0 from tidemark.log_heads', v_schema);
  return v_number;
end
$$;

-- Makes a generation that was built the live one, and keeps the one that was. Fails if it is behind in any
-- shard: checkpoints never go back. Call it with a lock_timeout, and with the checkpoints of both locked.
--
-- Why no statement can see a part of both: every statement on more than one table of the read models
-- names `checkpoints` first, and holds its lock on the table from then to its end. Those that have it
-- end before the rename, all others wait for it and then find the new tables under the name.
create function tidemark.flip_generation(p_number int) returns void
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
     where b.position is null or b.position < l.position', v_schema) into v_behind;
  if v_behind > 0 then
    raise exception 'generation % is behind in % shards', p_number, v_behind;
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

-- Drops a generation with all that is in it, unless it is the live one. Returns whether it did.
create function tidemark.drop_generation(p_number int) returns boolean
language plpgsql
as $$
begin
  delete from tidemark.generations where number = p_number and state <> 'live';
  if not found then
    return false;
  end if;
  execute format('drop schema %I cascade', 'read_models_' || p_number);
  return true;
end
$$;
