-- Creates the schema of the next generation, like the live one but empty: its tables with their
-- settings, indexes and grants, and a checkpoint at position 0 for each shard. Returns its number.
create or replace function tidemark.begin_generation(p_versions jsonb) returns int
language plpgsql
as $$
declare
  v_number    int;
  v_schema    text;
  v_statement text;
begin
  select max(number) + 1 into strict v_number from tidemark.generations;
  v_schema := 'read_models_' || v_number;
  insert into tidemark.generations (number, state, versions) values (v_number, 'building', p_versions);

  -- Everything created below belongs to the owner of the live generation, whoever calls this.
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
      -- From their definitions: `like` would rename the indexes.
      select 2, format(
        'alter table %I.%I add constraint %I %s', v_schema, relname, conname, pg_get_constraintdef(c.oid))
      from live_tables t join pg_constraint c on c.conrelid = t.oid and c.contype in ('p', 'u')
      union all
      select 3, replace(pg_get_indexdef(indexrelid), ' ON read_models.', format(' ON %I.', v_schema))
      from live_tables t join pg_index i on i.indrelid = t.oid
      where not exists (select from pg_constraint where conindid = i.indexrelid)
      union all
      select 4, format('grant %s on %I.%I to %s', privilege_type, v_schema, relname,
        case grantee when 0 then 'public' else grantee::regrole::text end)
      from live_tables, aclexplode(relacl)
      union all
      select 4, format('grant %s on schema %I to %s', privilege_type, v_schema,
        case grantee when 0 then 'public' else grantee::regrole::text end)
      from pg_namespace, aclexplode(nspacl) where nspname = 'read_models'
      union all
      -- Grants on tables that are created in it later.
      select 5, format('alter default privileges in schema %I grant %s on tables to %s', v_schema,
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
