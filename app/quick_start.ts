/** What the commands of the quick start depend on. */
export interface QuickStart {
  /** Where the service listens. */
  readonly url: string;
  /** An event type that it accepts. */
  readonly type: string;
  /** Whether it answers nobody without an API key. */
  readonly needsKey: boolean;
}

/**
 * The commands that a newcomer tries first: record an event, and read the summary that counts it. The README and the
 * welcome show the same ones. The shell that runs them puts in an id of its own and the time of that moment, so that
 * they can be run again, and on any day: a command that was printed an hour ago still counts for the last 24 hours.
 */
export const quickStart = ({ url, type, needsKey }: QuickStart): ReadonlyArray<string> => {
  const key = needsKey ? ' -H "Authorization: Bearer $KEY"' : "";
  const event =
    `{"event_id":"login-'$(date +%s)-$RANDOM'","account_id":"acme","user_id":"ada",` +
    `"type":"${type}","timestamp":"'$(date -u +%FT%TZ)'"}`;
  return [
    ...(needsKey ? ["KEY=$(npm run -s keys -- create --scope write,read)"] : []),
    `curl ${url}/events -H 'Content-Type: application/json'${key} -d '{"events":[${event}]}'`,
    `curl '${url}/accounts/acme/summary?window=last_24h'${key}`,
  ];
};
