-- Grants a role what a service needs of the database, and revokes everything else. The setting
-- tidemark.application_role names the role. Run by the role that migrates, which owns everything.

do $$
declare
  v_role text := current_setting('tidemark.application_role');
  v_schema text;
  v_partition regclass;
begin
  execute format('grant connect on database %I to %I', current_database(), v_role);
  -- The service needs no temporary tables.
  execute format('revoke temporary on database %I from public, %I', current_database(), v_role);

  -- The service reads the whole log and writes none of it: it appends by a function that runs with
  -- its owner's rights. It does not write the identity of the log, the record of migrations, or
  -- access rights either.
  execute format('grant usage on schema tidemark to %I', v_role);
  execute format('revoke all on all tables in schema tidemark from %I', v_role);
  execute format('grant select on all tables in schema tidemark to %I', v_role);
  for v_partition in
    select inhrelid from pg_inherits where inhparent = 'tidemark.events'::regclass
  loop
    execute format('revoke all on %s from %I', v_partition, v_role);
  end loop;
  execute format('revoke all on all routines in schema tidemark from %I', v_role);
  execute format(
    'grant execute on function tidemark.append, tidemark.ensure_shards, tidemark.build_window,
       tidemark.advance_window, tidemark.window_piece_end to %I', v_role);
  if exists (select from tidemark.key_administrators where role_name = v_role) then
    execute format(
      'grant insert, update, delete on tidemark.api_keys, tidemark.account_quotas to %I', v_role);
  end if;

  -- The service writes the read models, of which every generation is a schema of its own, and the
  -- queue.
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

  -- Default privileges without a schema would cover later tables beside the log.
  execute format('alter default privileges revoke all on schemas from %I', v_role);
  execute format('alter default privileges revoke all on tables from %I', v_role);
  execute format('alter default privileges revoke all on sequences from %I', v_role);
  execute format('alter default privileges revoke all on routines from %I', v_role);
end
$$;
