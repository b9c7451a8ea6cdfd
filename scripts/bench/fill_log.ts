import pg from "pg";

import { shardOf } from "../../core/event/shard.ts";

/** Events of one kind of account, spread evenly over the last days. */
export interface Filling {
  readonly accounts: ReadonlyArray<string>;
  readonly events: number;
  /** Users of each account, all equally active, which is the hardest case for a ranking. */
  readonly users: number;
  readonly days: number;
}

/**
 * Fills an empty log faster than any client could: the database generates the events, at the
 * positions that `tidemark.append` would assign. The projector then folds them as usual.
 */
export const fillLog = async (
  url: string,
  shards: number,
  fillings: ReadonlyArray<Filling>,
): Promise<void> => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  for (const { accounts, events, users, days } of fillings) {
    await client.query(FILL, [
      accounts,
      accounts.map((account) => shardOf(account, shards)),
      events,
      users,
      days,
    ]);
  }
  // As autovacuum would have done while a log grows to this size.
  await client.query("vacuum (analyze) tidemark.events");
  await client.end();
};

const FILL = `
with made as (
  select
    a.shard, a.account_id,
    a.account_id || '-' || n as event_id,
    'user-' || floor(random() * $4::int)::int as user_id,
    (array['message_sent', 'call_made', 'form_submitted', 'login', 'custom'])
      [1 + floor(random() * 5)::int] as type,
    now() - make_interval(days => $5::int) * (1 - n / $3::float8) as at
  from generate_series(1, $3::bigint) n
  join unnest($1::text[], $2::smallint[]) with ordinality as a (account_id, shard, ordinal)
    on a.ordinal = 1 + (hashint8(n) & 1073741823) % cardinality($1)
),
appended as (
  insert into tidemark.events (
    position, occurred_at, recorded_at, fingerprint, shard,
    account_id, event_id, user_id, type, metadata
  )
  select
    h.position + row_number() over (partition by m.shard order by m.at),
    date_trunc('milliseconds', m.at), now(), 1, m.shard,
    m.account_id, m.event_id, m.user_id, m.type, '{"channel":"web"}'
  from made m join tidemark.log_heads h using (shard)
  order by m.at
  returning shard
)
update tidemark.log_heads h set position = h.position + n.events
from (select shard, count(*) as events from appended group by shard) n
where h.shard = n.shard`;
