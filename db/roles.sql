-- The two roles of docker-compose.yml. The image of Postgres runs this as its superuser when it
-- creates a database. tidemark_owner migrates and owns the database; tidemark_service serves, and
-- npm run migrate grants it its rights.
\getenv owner_password OWNER_PASSWORD
\getenv service_password SERVICE_PASSWORD
create role tidemark_owner login password :'owner_password';
create role tidemark_service login password :'service_password';
alter database tidemark owner to tidemark_owner;
