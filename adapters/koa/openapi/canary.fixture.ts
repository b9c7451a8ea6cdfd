import * as assert from "uvu/assert";

/** An account that no other request may change, with a name that is easily confused. */
export const CANARY = "Cañary 1";

const EVENTS = 25;
const HOUR_MS = 3_600_000;

/** The canary's events, of the last day. */
export const canaryEvents = (now: number): ReadonlyArray<object> =>
  Array.from({ length: EVENTS }, (_, i) => ({
    event_id: `canary-${i}`,
    account_id: CANARY,
    user_id: `user ${i % 3}`,
    type: "login",
    timestamp: new Date(now - (i + 1) * (HOUR_MS / 2)).toISOString(),
    metadata: { i },
  }));

interface Seen {
  readonly events: ReadonlyArray<object>;
  readonly totals: Readonly<Record<string, number>>;
}

/** Makes a check that the canary is unchanged. */
export const makeCanaryCheck = (url: string, now: number, headers: Record<string, string> = {}) => {
  const ask = async (rest: string): Promise<Seen> => {
    const response = await fetch(`${url}/accounts/${encodeURIComponent(CANARY)}${rest}`, {
      headers,
    });
    const text = await response.text();
    assert.is(response.status, 200, text);
    return JSON.parse(text) as Seen;
  };
  const range = new URLSearchParams({
    from: new Date(now - 24 * HOUR_MS).toISOString(),
    to: new Date(now + HOUR_MS).toISOString(),
  }).toString();
  const sent = canaryEvents(now);
  return async (): Promise<void> => {
    const { events } = await ask("/events?limit=1000");
    const listed = events.map((event) => ({ ...event, recorded_at: undefined }));
    assert.equal(
      listed,
      sent.map((event) => ({ ...event, recorded_at: undefined })),
    );
    for (const query of [range, "window=last_24h"]) {
      const { totals } = await ask(`/summary?${query}`);
      assert.equal(totals, { login: EVENTS });
    }
  };
};
