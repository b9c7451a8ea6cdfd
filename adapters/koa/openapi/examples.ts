import type { RecordedEvent } from "../../../core/event/event.ts";
import type { EventTypes } from "../../../core/event/types.ts";
import type { DeadLetter } from "../../../core/queue/dead_letters.ts";
import {
  deadLetterBody,
  deadLettersBody,
  eventsBody,
  jobBody,
  summaryText,
  timeseriesBody,
} from "../routes/present.ts";
import type { Body } from "./bodies.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const JOB_ID = "01a20253-aa0c-79c1-b28a-b136a2df5001";

/**
 * Bodies as they are really sent: by the same functions, of the accepted types.
 *
 * @param now Unix milliseconds of what they tell. The batch happened a moment before, with ids that no other time has, so
 *   that whoever sends it finds it in the summary of the last 24 hours, and in no conflict with an earlier one.
 */
export const exampleBodies = (types: EventTypes, now: number) => {
  const occurredAt = now - (now % 1_000);
  const hour = now - (now % HOUR_MS);
  const id = (n: number): string => `${now.toString(36)}-${n}`;
  const [first = "login", second = first] = types === "*" ? ["login", "custom"] : [...types];
  const event: RecordedEvent = {
    accountId: "acme",
    eventId: id(2),
    userId: "bob",
    type: second,
    occurredAt: occurredAt,
    metadata: '{"plan":"pro"}',
    fingerprint: 0,
    shard: 0,
    position: 2,
    recordedAt: now,
  };
  const range = { from: now - DAY_MS, to: now };
  const asOf = now + 3;
  const counts = new Map(
    first === second
      ? [[first, 2]]
      : [
          [first, 1],
          [second, 1],
        ],
  );
  const letter: DeadLetter = {
    id: JOB_ID,
    events: 1,
    retries: 30,
    failure: "the log cannot be reached",
    queuedAt: now,
    diedAt: now + 2 * HOUR_MS,
  };
  const batch = { events: [event], duplicates: 0, conflicts: 0 };
  const accepted: Body<"Accepted"> = { statusCode: 202, jobId: JOB_ID, queued: 2 };
  const accounts: Body<"Accounts"> = { account_ids: ["acme", "globex"] };

  return {
    batch: {
      events: [
        {
          event_id: id(1),
          account_id: "acme",
          user_id: "ada",
          type: first,
          timestamp: `${new Date(occurredAt).toISOString().slice(0, -".000Z".length)}Z`,
        },
        {
          event_id: id(2),
          account_id: "acme",
          user_id: "bob",
          type: second,
          timestamp: `${new Date(occurredAt + HOUR_MS).toISOString().slice(0, -".000Z".length)}+01:00`,
          metadata: { plan: "pro" },
        },
      ],
    },
    accepted,
    job: jobBody({
      jobId: JOB_ID,
      accountIds: ["acme"],
      state: "completed",
      queued: 2,
      appended: 2,
      duplicates: 0,
      conflicts: 0,
      retries: 0,
      queuedAt: now,
      endedAt: now + 23,
      failure: null,
    }),
    accounts,
    deadLetters: deadLettersBody([letter], false),
    deadLetter: deadLetterBody({ letter, jobs: [{ id: JOB_ID, batch }], payload: null }),
    summary: JSON.parse(
      summaryText({
        accountId: "acme",
        window: "last_24h",
        totals: counts,
        topUsers: [
          { userId: "ada", events: 1 },
          { userId: "bob", events: 1 },
        ],
        range,
        asOf,
        checkpoint: 2,
        generation: 1,
      }),
    ) as unknown,
    timeseries: timeseriesBody({
      accountId: "acme",
      interval: "hour",
      range: { from: hour - HOUR_MS, to: hour + HOUR_MS },
      points: [
        {
          start: hour - HOUR_MS,
          totals: new Map(Array.from(counts.keys(), (type) => [type, 0])),
        },
        { start: hour, totals: counts },
      ],
      asOf,
    }),
    eventPage: eventsBody({
      accountId: "acme",
      events: [event],
      next: {
        before: { occurredAt: occurredAt, position: 2 },
        upTo: 2,
        asOf,
        filter: { from: null, to: null, type: null },
      },
      asOf,
    }),
  };
};
