-- The role that serves needs few rights: it appends by calling tidemark.append and in no other way, and only reads
-- API keys. Who has which right is in db/application_role.sql.

-- As in 0002_append.sql, with the settings of 0008 and 0009, but run with the rights of its owner. Its caller may not
-- write to the log, so this is what keeps the log's invariants whoever calls it: positions are dense and in the order
-- of commits, an identity occurs once in a shard, recorded_at is this server's clock, and no time is out of range.
-- Which shard an account belongs to it takes from its caller, since core/event/shard.ts computes that.
create or replace function tidemark.append(
  p_shard        smallint,
  p_account_ids  text[],
  p_event_ids    text[],
  p_user_ids     text[],
  p_types        text[],
  p_occurred_at  float8[],  -- milliseconds since the Unix epoch
  p_fingerprints bigint[],
  p_metadata     text[],
  out duplicates int[],
  out conflicts  int[]
)
language plpgsql
security definer
-- Names without a schema are of Postgres itself, and never of a caller's temporary objects.
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_bitmapscan = off
set lock_timeout = '1s'
set plan_cache_mode = force_generic_plan
as $$
declare
  v_count    constant int := cardinality(p_account_ids);
  v_head     bigint;
  v_appended bigint;
begin
  -- `unnest` would fill the shorter ones up with nulls, and metadata may be null.
  if not coalesce(
    cardinality(p_event_ids) = v_count and cardinality(p_user_ids) = v_count
    and cardinality(p_types) = v_count and cardinality(p_occurred_at) = v_count
    and cardinality(p_fingerprints) = v_count and cardinality(p_metadata) = v_count, false)
  then
    raise exception 'the arrays of an append differ in length'
      using errcode = 'invalid_parameter_value';
  end if;
  -- From the year 1 to the year 9999; not a number and infinity are beyond.
  if exists (
    select from unnest(p_occurred_at) as o (ms)
    where not ms between -62135596800000 and 253402300799999
  ) then
    raise exception 'the time of an event is out of range'
      using errcode = 'datetime_field_overflow';
  end if;

  select position into strict v_head from tidemark.log_heads where shard = p_shard for update;

  with incoming as materialized (
    select
      i.*,
      -- A subquery, which looks each identity up by the primary key. A join would be planned, and on
      -- a log without statistics planned badly.
      (
        select e.fingerprint from tidemark.events e
        where e.shard = p_shard and e.event_id = i.event_id and e.account_id = i.account_id
      ) as known
    from unnest(
      p_account_ids, p_event_ids, p_user_ids, p_types, p_occurred_at, p_fingerprints, p_metadata
    ) with ordinality as i (
      account_id, event_id, user_id, type, occurred_at, fingerprint, metadata, ordinal
    )
  ),
  appended as (
    insert into tidemark.events (
      position, occurred_at, recorded_at, fingerprint, shard,
      account_id, event_id, user_id, type, metadata
    )
    select
      v_head + row_number() over (order by ordinal),
      to_timestamp(occurred_at / 1000), clock_timestamp(), fingerprint, p_shard,
      account_id, event_id, user_id, type, metadata::json
    from incoming
    where known is null
  )
  select
    count(*) filter (where known is null),
    array_agg(ordinal - 1 order by ordinal) filter (where known = fingerprint),
    array_agg(ordinal - 1 order by ordinal) filter (where known <> fingerprint)
  into v_appended, duplicates, conflicts
  from incoming;

  if v_appended > 0 then
    update tidemark.log_heads set position = v_head + v_appended where shard = p_shard;
  end if;
end
$$;

revoke execute on function
  tidemark.append(smallint, text[], text[], text[], text[], float8[], bigint[], text[])
from public;

-- As in 0013_log_statistics.sql, but it looks before it locks: who may not write to the log may still check the number.
create or replace function tidemark.ensure_shards(p_shards int) returns void
language plpgsql
as $$
declare
  v_existing int;
begin
  select count(*) into v_existing from tidemark.log_heads;
  if v_existing = 0 then
    -- Two services that start at once must not both create.
    lock table tidemark.log_heads in share row exclusive mode;
    select count(*) into v_existing from tidemark.log_heads;
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
    execute format(
      'create table tidemark.events_%s partition of tidemark.events for values in (%s)
       with (autovacuum_analyze_threshold = 500000)',
      v_shard, v_shard);
    insert into tidemark.log_heads (shard, position) values (v_shard, 0);
    insert into read_models.checkpoints (shard, position) values (v_shard, 0);
  end loop;
end
$$;

-- The roles that may write API keys and quotas, beside the one that owns them: npm run migrate -- grant.
create table tidemark.key_administrators (
  role_name text primary key
);

-- Known to who may read this database and to nobody else: what processes keep in Redis is signed with it.
alter table tidemark.log_identity add column secret bytea not null default
  sha256((gen_random_uuid()::text || gen_random_uuid()::text)::bytea);

-- As in 0011_generations.sql, with the rights on what is created later.
create or replace function tidemark.begin_generation(p_versions jsonb) returns int
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
      union all
      -- And on what is created in it later.
      select 6, format('alter default privileges in schema %I grant %s on tables to %s', v_schema,
        privilege_type, case grantee when 0 then 'public' else grantee::regrole::text end)
      from pg_default_acl, aclexplode(defaclacl)
      where defaclnamespace = 'read_models'::regnamespace and defaclobjtype = 'r'
        and defaclrole = current_user::regrole
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
