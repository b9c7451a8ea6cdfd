import { startBoss } from "../../../adapters/pg_boss/boss.ts";
import { newRowId, partId } from "../../../adapters/pg_boss/job_id.ts";
import { rowWith } from "../../../adapters/pg_boss/payload.ts";
import { EVENTS_QUEUE } from "../../../adapters/pg_boss/queue_settings.ts";
import { decodeEvent } from "../../../core/event/decode.ts";
import type { Event } from "../../../core/event/event.ts";
import { EVENT_RULES_DEFAULT, EVENT_TYPES_DEFAULT } from "../../../core/event/rules.ts";
import type { SentEvent } from "../../shared/activity.ts";
import type { Scenario, Scene } from "../scenario.ts";
import { until } from "../until.ts";

/** Jobs that an API never makes; each is dead after its second attempt and not after its thirty-first. */
const RETRY_LIMIT = 1;

const DEAD_WITHIN_MS = 120_000;

/** A job that cannot be done ends as a dead letter, alone: its neighbours in the same row are counted. */
export const poisonJobStandsAlone: Scenario = {
  name: "poison-job-stands-alone",
  about:
    "jobs that no build can read, and jobs that the database refuses, put straight into the queue",
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
    const id = (): string => newRowId(Date.now());
    const { deadJobs } = scene.provoked;
    let rounds = 0;
    await scene.repeat(async () => {
      const events = [1, 2, 3].map((n) => neighbour(`${++rounds}-${n}`));
      const [first, second, third] = events.map(decode);
      if (first === undefined || second === undefined || third === undefined) return;
      const refused: Event = { ...second, metadata: "{" };

      deadJobs.add(await put({ id: id(), data: { version: 99, parts: [] } }));
      deadJobs.add(
        await put({ id: id(), data: { version: 2, parts: [{ events: 7 }], events: "AAAA" } }),
      );
      deadJobs.add(await put(await rowWith(id(), [batchOf(refused)])));
      const mixed = await put(await rowWith(id(), [first, refused, third].map(batchOf)));
      deadJobs.add(partId(mixed, 2));
      const good = [events[0], events[2]].filter((event) => event !== undefined);
      scene.ledger.sending(good);
      await scene.ledger.accepted(good);
      await hasten(scene, partId(mixed, 2));
      await scene.rest(1_000);
    });
    await boss.stop({ graceful: false });
    await until(
      "every poisoned job is a dead letter",
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

/** The part that was refused goes on in a row of its own, with the retries of the queue. */
const hasten = ({ database }: Scene, id: string): Promise<void> =>
  until(
    "the refused part of a row has a row of its own",
    async () => {
      const rows = await database.query(
        `update tidemark_queue.job set retry_limit = ${RETRY_LIMIT} where id = $1 returning id`,
        [id],
      );
      return rows.length === 1;
    },
    DEAD_WITHIN_MS,
  );

const neighbour = (name: string): SentEvent => ({
  event_id: `neighbour-${name}`,
  account_id: "neighbour",
  user_id: "ada",
  type: EVENT_TYPES_DEFAULT[0],
  timestamp: new Date(Date.now() - 60_000).toISOString(),
  metadata: {},
});

const decode = (event: SentEvent): Event | undefined =>
  decodeEvent(event, 0, EVENT_RULES_DEFAULT, Date.now(), []);

const batchOf = (event: Event) => ({ events: [event], duplicates: 0, conflicts: 0 });
