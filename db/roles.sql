-- The two roles of docker-compose.yml, made by Postgres's image with a new database, which it runs this in as its
-- superuser: tidemark_owner migrates and owns the database, tidemark_service serves. npm run migrate grants to the second.
\getenv owner_password OWNER_PASSWORD
\getenv service_password SERVICE_PASSWORD
create role tidemark_owner login password :'owner_password';
create role tidemark_service login password :'service_password';
alter database tidemark owner to tidemark_owner;
