-- The end of a piece that begins at p_lo, contains at most about p_events_max events of the
-- account, and does not pass p_hi. Later than p_lo unless p_hi is not, so that every piece makes
-- progress.
create or replace function tidemark.window_piece_end(
  p_shard smallint, p_account_id text, p_lo timestamptz, p_hi timestamptz, p_events_max int
) returns timestamptz
language sql stable
as $$
  select greatest(p_lo, least(p_hi, greatest(
    coalesce((
      select e.occurred_at from tidemark.events e
      where e.shard = p_shard and e.account_id = p_account_id and e.schema_version > 0
        and e.occurred_at >= p_lo and e.occurred_at < p_hi
      order by e.occurred_at offset p_events_max limit 1
    ), p_hi),
    p_lo + interval '1 millisecond')))
$$;
