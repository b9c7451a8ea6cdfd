const ACCOUNTS = 500;
const USERS = 200;
const TYPES = ["message_sent", "call_made", "form_submitted", "login", "custom"];

let sent = 0;

/** The body of a request with so many new events, of one account or spread over 500 of 200 users each. */
export const loadBatch = (events: number, accountId?: string): Buffer => {
  const timestamp = new Date().toISOString();
  const items: string[] = [];
  for (let i = 0; i < events; i++) {
    const n = sent++;
    const account = accountId ?? `account-${(n * 7_919) % ACCOUNTS}`;
    items.push(
      `{"event_id":"load-${process.pid}-${n}","account_id":"${account}",` +
        `"user_id":"user-${(n * 104_729) % USERS}","type":"${TYPES[n % TYPES.length]}",` +
        `"timestamp":"${timestamp}","metadata":{"channel":"web","n":${n % 10}}}`,
    );
  }
  return Buffer.from(`{"events":[${items.join(",")}]}`);
};
