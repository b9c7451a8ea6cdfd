import { setTimeout as delay } from "node:timers/promises";

import { Effect } from "effect";

import { makeEventLog } from "../../adapters/postgres/event_log.ts";
import type { RecordedEvent } from "../../core/event/event.ts";
import { SHARDS_DEFAULT } from "../../core/event/shard.ts";
import { present } from "../../core/invariant.ts";
import { READ_MODELS, type Row } from "../../core/projection/read_models.ts";
import { DAY_MS } from "../../core/time.ts";
import type { DirectDatabase } from "../testbed/direct_database.ts";
import { rangeQuery } from "../testbed/http_client.ts";
import { type Finding, judge } from "./judge.ts";
import { judgeSummaries, type SummaryAnswer, type UserCount } from "./judge_summaries.ts";
import type { Stage } from "./stage.ts";

const PAGE_EVENTS = 10_000;

/** A new event must show within a second of its 202. Until then older cached answers are allowed. */
const FRESH_WITHIN_MS = 1_000;

/** Collects the evidence of a stage that has come to rest, and judges it. */
export const examine = async (stage: Stage): Promise<ReadonlyArray<Finding>> => {
  const { database, ledger, provoked, roles } = stage;
  const log = makeEventLog(database.database(), SHARDS_DEFAULT);
  const heads = await Effect.runPromise(log.heads);

  async function* pages(): AsyncGenerator<ReadonlyArray<RecordedEvent>> {
    for (let shard = 0; shard < SHARDS_DEFAULT; shard++) {
      let after = 0;
      for (;;) {
        const page = await Effect.runPromise(log.read(shard, after, PAGE_EVENTS));
        const last = page.at(-1);
        if (last === undefined) break;
        yield page;
        after = last.position;
      }
    }
  }

  const { findings, accounts } = await judge({
    sent: ledger.sent,
    shards: SHARDS_DEFAULT,
    log: pages(),
    heads: new Map(heads.map(({ shard, position }) => [shard, position])),
    rows: (model) => readRows(database, model),
    poisoned: await readPoisoned(database),
    deadLetters: await readDeadLetters(database),
    provoked,
  });
  await delay(FRESH_WITHIN_MS);
  const now = Date.now();
  const summaries = await judgeSummaries({
    accounts,
    everything: rangeQuery(now - 30 * DAY_MS, now + DAY_MS),
    summary: (accountId, query) => readSummary(roles.api.url, accountId, query),
    bruteForce: (accountId, from, to) => countOneByOne(database, accountId, from, to),
  });
  return [...findings, ...summaries];
};

const readRows = async (database: DirectDatabase, name: string): Promise<ReadonlyArray<Row>> => {
  const model = READ_MODELS.find((each) => each.name === name);
  const { dimensions } = present(model, `There is no read model ${name}`);
  const rows = await database.query(
    `select ${dimensions.join(", ")}, events from read_models.${name}`,
  );
  return rows.map((row) => ({
    key: dimensions.map((dimension) => {
      const value: unknown = row[dimension];
      return value instanceof Date ? value.getTime() : String(value);
    }),
    events: Number(row["events"]),
  }));
};

const readPoisoned = async (database: DirectDatabase): Promise<ReadonlySet<string>> => {
  const rows = await database.query<{ place: string }>(
    "select shard || ':' || position as place from read_models.poisoned_events",
  );
  return new Set(rows.map(({ place }) => place));
};

/** The dead letters by the id of their job: pg-boss gives a dead letter a new id. */
const readDeadLetters = async (database: DirectDatabase): Promise<ReadonlyArray<string>> => {
  const rows = await database.query<{ id: string }>(
    "select coalesce(source_id, id)::text as id from tidemark_queue.job where name = 'events_dead_letter'",
  );
  return rows.map(({ id }) => id);
};

const readSummary = async (
  url: string,
  accountId: string,
  query: string,
): Promise<SummaryAnswer> => {
  const answer = await fetch(`${url}/accounts/${encodeURIComponent(accountId)}/summary?${query}`);
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`A summary was answered ${answer.status}: ${text}`);
  return JSON.parse(text) as SummaryAnswer;
};

/** Counts without any index, so that a broken one cannot hide a difference. */
const countOneByOne = (
  database: DirectDatabase,
  accountId: string,
  from: string,
  to: string,
): Promise<ReadonlyArray<UserCount>> =>
  database.session(async (client) => {
    await client.query("begin read only");
    for (const scan of ["indexscan", "indexonlyscan", "bitmapscan"]) {
      await client.query(`set local enable_${scan} = off`);
    }
    const { rows } = await client.query<UserCount>({
      text: `
        select user_id, type, count(*) as events from tidemark.events
        where account_id = $1 and occurred_at >= $2 and occurred_at < $3
        group by user_id, type`,
      values: [accountId, from, to],
    });
    await client.query("commit");
    return rows;
  });
