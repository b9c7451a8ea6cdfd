-- Which log this is. What is kept outside of the database, in Redis, carries it, so that the answers of
-- one log are never taken for those of another: of a second service, or of the one that was here before.

create table tidemark.log_identity (
  only_row boolean primary key default true check (only_row),
  id       uuid    not null default gen_random_uuid()
);

insert into tidemark.log_identity default values;
