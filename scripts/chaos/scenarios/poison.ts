import { setTimeout as delay } from "node:timers/promises";

import { startBoss } from "../../../adapters/pg_boss/boss.ts";
import { newRowId, partId } from "../../../adapters/pg_boss/job_id.ts";
import { rowWith } from "../../../adapters/pg_boss/payload.ts";
import { EVENTS_QUEUE } from "../../../adapters/pg_boss/queue_settings.ts";
import { decodeEvent } from "../../../core/event/decode.ts";
import { type Event, identityOf } from "../../../core/event/event.ts";
import { EVENT_RULES_DEFAULT } from "../../../core/event/rules.ts";
import { present } from "../../../core/invariant.ts";
import type { SentEvent } from "../../shared/activity.ts";
import { until } from "../../testbed/until.ts";
import { type Scenario, type Scene, STEP } from "../scenario.ts";

/** The jobs of this scenario are dead after their second attempt, not after their thirty-first. */
const RETRY_LIMIT = 1;

const DEAD_WITHIN_MS = 120_000;

/** A poison job ends as a dead letter, and its neighbours in the same row are counted. */
export const poisonJobStandsAlone: Scenario = {
  name: "poison-job-stands-alone",
  about:
    "jobs that no version can read, and jobs that the database refuses, inserted into the queue",
  weight: 0.5,
  run: async (scene) => {
    const boss = await startBoss({
      execute: async (text, values) => ({ rows: [...(await scene.database.query(text, values))] }),
      supervise: false,
      onError: () => {},
    });
    const put = async (row: { readonly id: string; readonly data: object }): Promise<string> => {
      await boss.insert(EVENTS_QUEUE, [{ ...row, retryLimit: RETRY_LIMIT }]);
      scene.broke();
      return row.id;
    };
    const newId = (): string => newRowId(Date.now());
    const { deadJobs } = scene.provoked;
    let rounds = 0;
    await scene.repeat(async () => {
      rounds++;
      const [before, between, after] = ["before", "between", "after"].map((name) =>
        eventOf("neighbour", `${name}-${rounds}`),
      ) as [SentEvent, SentEvent, SentEvent];
      const refused: Event = { ...decode(between), metadata: "{" };

      deadJobs.add(await put({ id: newId(), data: { version: 99, parts: [] } }));
      deadJobs.add(
        await put({ id: newId(), data: { version: 2, parts: [{ events: 7 }], events: "AAAA" } }),
      );
      deadJobs.add(await put(await rowWith(newId(), [batchOf(refused)])));
      const mixed = await put(
        await rowWith(newId(), [decode(before), refused, decode(after)].map(batchOf)),
      );
      deadJobs.add(partId(mixed, 2));
      scene.ledger.sending([before, after]);
      await scene.ledger.accepted([before, after]);
      await hasten(scene, partId(mixed, 2));
      await scene.rest(1_000);
    });
    await boss.stop({ graceful: false });
    await until(
      "every poison job is a dead letter",
      async () => {
        const dead = await scene.database.query(
          "select from tidemark_queue.job where name = 'events_dead_letter'",
        );
        return dead.length >= deadJobs.size;
      },
      DEAD_WITHIN_MS,
    );
  },
};

/** Limits the retries of a refused part, which gets its own row with the retries of the queue. */
const hasten = ({ database }: Scene, id: string): Promise<void> =>
  until(
    "the refused part of a row has its own row",
    async () => {
      const rows = await database.query(
        `update tidemark_queue.job set retry_limit = ${RETRY_LIMIT} where id = $1 returning id`,
        [id],
      );
      return rows.length === 1;
    },
    DEAD_WITHIN_MS,
  );

const decode = (event: SentEvent): Event =>
  present(
    decodeEvent(event, 0, EVENT_RULES_DEFAULT, Date.now(), []),
    `The event ${event.event_id} must be valid`,
  );

const batchOf = (event: Event) => ({ events: [event], duplicates: 0, conflicts: 0 });

const ACCOUNT = "poison";
const RETRY_MS = 200;
const SKIPPED_WITHIN_MS = 60_000;

/** Makes a read model refuse events, because no accepted event is refused today. */
const REFUSE = `
  alter table read_models.activity_by_type
    add constraint chaos_refuses check (account_id <> '${ACCOUNT}') not valid`;
const ACCEPT_AGAIN =
  "alter table read_models.activity_by_type drop constraint if exists chaos_refuses";

/** A poison event is found by bisection, recorded and skipped. All other events are counted. */
export const poisonEventIsSkipped: Scenario = {
  name: "poison-event-is-skipped",
  about: "events that a read model refuses, among many others, while projectors are killed",
  run: async (scene) => {
    await scene.database.query(REFUSE);
    let events = 0;
    await scene.repeat(async () => {
      const event = eventOf(ACCOUNT, `poison-${++events}`);
      await accept(scene, event);
      const identity = identityOf({ accountId: ACCOUNT, eventId: event.event_id });
      scene.provoked.poisonEvents.add(identity);
      scene.broke();
      if (scene.random() < 0.5) await scene.killAt(scene.roles.projector, "unsent", STEP);
      await scene.rest(1_000);
    });
    const { poisonEvents } = scene.provoked;
    await until(
      "every poison event is skipped",
      async () => {
        const rows = await scene.database.query("select from read_models.poisoned_events");
        return rows.length >= poisonEvents.size;
      },
      SKIPPED_WITHIN_MS,
    );
    await scene.database.query(ACCEPT_AGAIN);
  },
};

const eventOf = (accountId: string, eventId: string): SentEvent => ({
  event_id: eventId,
  account_id: accountId,
  user_id: "ada",
  type: "custom",
  timestamp: new Date(Date.now() - 60_000).toISOString(),
  metadata: {},
});

const accept = async ({ ledger, roles }: Scene, event: SentEvent): Promise<void> => {
  ledger.sending([event]);
  for (;;) {
    const answer = await fetch(`${roles.api.url}/events`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ events: [event] }),
    }).catch(() => undefined);
    if (answer?.status === 202) break;
    await delay(RETRY_MS);
  }
  await ledger.accepted([event]);
};
