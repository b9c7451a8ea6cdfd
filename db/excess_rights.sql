-- What a role may do beside what a service needs: a sentence each, none for one that may not change the schema. $1 role
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
  ), 'it may create tables in the schema public: revoke create on schema public')
) as rights (ordinal, has, what)
where has
-- The first one implies the others.
order by ordinal
limit case when (select rolsuper from pg_roles where rolname = $1) then 1 end
