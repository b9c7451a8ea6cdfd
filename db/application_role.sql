-- Gives a role what a service needs of the database, and takes away what else it may have been given. The role is the
-- one that the setting tidemark.application_role names. Run by the role that migrates, which owns it all.

do $$
declare
  v_role text := current_setting('tidemark.application_role');
  v_schema text;
  v_partition regclass;
begin
  execute format('grant connect on database %I to %I', current_database(), v_role);
  -- Nothing here needs temporary tables, which are tables that who serves could make.
  execute format('revoke temporary on database %I from public, %I', current_database(), v_role);

  -- Of the log the service reads all and writes nothing: it appends by a function that runs with its owner's rights. Nor
  -- does it write what says which log it is, what was migrated, or who may ask.
  execute format('grant usage on schema tidemark to %I', v_role);
  execute format('revoke all on all tables in schema tidemark from %I', v_role);
  execute format('grant select on all tables in schema tidemark to %I', v_role);
  for v_partition in
    select inhrelid from pg_inherits where inhparent = 'tidemark.events'::regclass
  loop
    execute format('revoke all on %s from %I', v_partition, v_role);
  end loop;
  execute format('revoke all on all routines in schema tidemark from %I', v_role);
  execute format('grant execute on function tidemark.append, tidemark.ensure_shards to %I', v_role);
  if exists (select from tidemark.key_administrators where role_name = v_role) then
    execute format(
      'grant insert, update, delete on tidemark.api_keys, tidemark.account_quotas to %I', v_role);
  end if;

  -- Read models and the queue are the service's to write. Every generation of the read models is a schema of its own.
  for v_schema in
    select nspname from pg_namespace
    where nspname = 'tidemark_queue' or nspname ~ '^read_models(_|$)'
  loop
    execute format('grant usage on schema %I to %I', v_schema, v_role);
    execute format(
      'grant select, insert, update, delete on all tables in schema %I to %I', v_schema, v_role);
    execute format('grant usage, select on all sequences in schema %I to %I', v_schema, v_role);
    execute format('grant execute on all routines in schema %I to %I', v_schema, v_role);
    execute format(
      'alter default privileges in schema %I grant select, insert, update, delete on tables to %I',
      v_schema, v_role);
    execute format(
      'alter default privileges in schema %I grant usage, select on sequences to %I',
      v_schema, v_role);
  end loop;
  execute format(
    'alter default privileges in schema tidemark grant select on tables to %I', v_role);

  -- What earlier versions gave of everything that is created later, in whatever schema.
  execute format('alter default privileges revoke all on schemas from %I', v_role);
  execute format('alter default privileges revoke all on tables from %I', v_role);
  execute format('alter default privileges revoke all on sequences from %I', v_role);
  execute format('alter default privileges revoke all on routines from %I', v_role);
end
$$;
