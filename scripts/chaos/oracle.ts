import { setTimeout as delay } from "node:timers/promises";

import { Effect } from "effect";

import { makeEventLog } from "../../adapters/postgres/event_log.ts";
import type { RecordedEvent } from "../../core/event/event.ts";
import { SHARDS_DEFAULT } from "../../core/event/shard.ts";
import { READ_MODELS, type Row } from "../../core/projection/read_models.ts";
import type { DirectDatabase } from "./direct_database.ts";
import { type Finding, judge } from "./judge.ts";
import { judgeSummaries, type SummaryAnswer, type UserCount } from "./judge_summaries.ts";
import type { Stage } from "./stage.ts";

const PAGE_EVENTS = 10_000;

const DAY_MS = 86_400_000;

/** By the contract a new event shows within a second of its 202; answers may be kept until then. */
const FRESH_WITHIN_MS = 1_000;

/** Looks at a stage that has come to rest, and finds every way in which the promise is broken. */
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
  const at = (days: number): string => new Date(now + days * DAY_MS).toISOString();
  const summaries = await judgeSummaries({
    accounts,
    everything: `from=${at(-30)}&to=${at(1)}`,
    summary: (accountId, query) => readSummary(roles.api.url, accountId, query),
    bruteForce: (accountId, from, to) => countOneByOne(database, accountId, from, to),
  });
  return [...findings, ...summaries];
};

const readRows = async (database: DirectDatabase, name: string): Promise<ReadonlyArray<Row>> => {
  const dimensions = READ_MODELS.find((model) => model.name === name)?.dimensions ?? [];
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

/** pg-boss gives a dead letter an id of its own, and keeps that of the job which died. */
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
  if (answer.status !== 200) throw new Error(`a summary was answered ${answer.status}: ${text}`);
  return JSON.parse(text) as SummaryAnswer;
};

/** Past every index, so that none of them is believed. */
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
