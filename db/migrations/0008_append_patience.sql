-- An append does not wait long for a shard that somebody else holds: a worker that is frozen in the middle
-- of an append would keep all others from their other shards, until the database misses it.

alter function tidemark.append(smallint, text[], text[], text[], text[], float8[], bigint[], text[])
  set lock_timeout = '1s';
