-- Accounts that have events and whose ids begin with $3: up to $2 from each of $1 shards. Skips
-- from one account to the next in the index, so the cost is per account and not per row.
with recursive shards as (
  select generate_series(0, $1::int - 1)::smallint as shard
),
accounts as (
  select s.shard, 1 as n, (
    select min(a.account_id) from read_models.activity_by_type a
    where a.shard = s.shard and a.account_id >= $3
  ) as account_id
  from shards s
  union all
  select p.shard, p.n + 1, (
    select min(a.account_id) from read_models.activity_by_type a
    where a.shard = p.shard and a.account_id > p.account_id
  )
  from accounts p
  where starts_with(p.account_id, $3) and p.n < $2
)
select account_id from accounts where starts_with(account_id, $3) order by n, shard
