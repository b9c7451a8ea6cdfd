/** The sessions of the service that are doing something, or else all; of the judge's own only the idle. */
export const SESSIONS = `
  select pid from pg_stat_activity
  where application_name = 'tidemark' and pid <> pg_backend_pid()
    and (state = 'active' or not exists (
      select from pg_stat_activity a
      where a.application_name = 'tidemark' and a.pid <> pg_backend_pid() and a.state = 'active'))
  order by pid`;
