-- Gives a role what a service needs of the database, and nothing that changes the schema. The role is the one that the
-- setting tidemark.application_role names. Run by the role that migrates, which owns it all.

do $$
declare
  v_role text := current_setting('tidemark.application_role');
  v_schema text;
  v_partition regclass;
begin
  execute format('grant connect on database %I to %I', current_database(), v_role);

  -- Every generation of the read models is a schema of its own.
  for v_schema in
    select nspname from pg_namespace
    where nspname in ('tidemark', 'tidemark_queue') or nspname ~ '^read_models(_|$)'
  loop
    execute format('grant usage on schema %I to %I', v_schema, v_role);
    execute format(
      'grant select, insert, update, delete on all tables in schema %I to %I', v_schema, v_role);
    execute format('grant usage, select on all sequences in schema %I to %I', v_schema, v_role);
    execute format('grant execute on all routines in schema %I to %I', v_schema, v_role);
  end loop;

  -- The log is append-only, and what says which log it is and what was migrated is not the service's.
  execute format('revoke update, delete on tidemark.events from %I', v_role);
  for v_partition in
    select inhrelid from pg_inherits where inhparent = 'tidemark.events'::regclass
  loop
    execute format('revoke all on %s from %I', v_partition, v_role);
  end loop;
  execute format(
    'revoke insert, update, delete on tidemark.schema_migrations, tidemark.log_identity from %I', v_role);

  -- What is created later, by migrations and by rebuilds: the schema of a generation that is to come cannot be named.
  execute format('alter default privileges grant usage on schemas to %I', v_role);
  execute format(
    'alter default privileges grant select, insert, update, delete on tables to %I', v_role);
  execute format('alter default privileges grant usage, select on sequences to %I', v_role);
  execute format('alter default privileges grant execute on routines to %I', v_role);
end
$$;
