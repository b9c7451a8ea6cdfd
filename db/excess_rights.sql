-- The rights of a role beyond those that db/application_role.sql grants, a clause each. $1 role
select what from (values
  (1, (select rolsuper from pg_roles where rolname = $1), 'it is a superuser'),
  (2, (
    select bool_or(pg_has_role($1, nspowner, 'usage')) from pg_namespace
    where nspname in ('tidemark', 'tidemark_queue', 'read_models')
  ), 'it owns the schema, or is a member of the role that does'),
  (3, has_database_privilege($1, current_database(), 'create'),
    'it may create schemas: revoke create on database'),
  (4, (
    select bool_or(has_schema_privilege($1, oid, 'create')) from pg_namespace
    where nspname in ('tidemark', 'tidemark_queue', 'read_models')
  ), 'it may create tables in the schemas of Tidemark: revoke create on schema'),
  (5, (
    select bool_or(has_schema_privilege($1, oid, 'create')) from pg_namespace where nspname = 'public'
  ), 'it may create tables in the schema public: revoke create on schema public'),
  (6, has_database_privilege($1, current_database(), 'temporary'),
    'it may create temporary tables: revoke temporary on database, from public too'),
  (7, (
    select bool_or(has_table_privilege($1, oid, 'insert, update, delete, truncate')) from pg_class
    where oid in ('tidemark.events'::regclass, 'tidemark.log_heads'::regclass)
      or oid in (select inhrelid from pg_inherits where inhparent = 'tidemark.events'::regclass)
  ), 'it may write to the log without tidemark.append: revoke insert, update, delete, truncate'),
  (8, (
    has_table_privilege($1, 'tidemark.api_keys', 'insert, update, delete, truncate')
    or has_table_privilege($1, 'tidemark.account_quotas', 'insert, update, delete, truncate')
  ) and not exists (select from tidemark.key_administrators where role_name = $1),
    'it may write API keys or quotas, which --administer-keys has not granted'),
  (9, (select rolcreaterole from pg_roles where rolname = $1), 'it may create roles: alter role … nocreaterole')
) as rights (ordinal, has, what)
where has
-- A superuser has all the others.
order by ordinal
limit case when (select rolsuper from pg_roles where rolname = $1) then 1 end
