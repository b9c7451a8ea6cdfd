-- Deletes a window, if it exists.
-- $1 shard, $2 account, $3 hours
with types as (
  delete from read_models.window_types where shard = $1 and account_id = $2 and hours = $3
),
users as (
  delete from read_models.window_users where shard = $1 and account_id = $2 and hours = $3
)
delete from read_models.windows where shard = $1 and account_id = $2 and hours = $3
