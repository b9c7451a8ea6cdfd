-- Asks for a window to be kept ready: read_models.advance_window does it.
-- $1 shard, $2 account, $3 hours
insert into read_models.window_requests (shard, account_id, hours)
values ($1, $2, $3)
on conflict do nothing
