import { Effect, Layer } from "effect";

import { Client } from "../../core/access/principal.ts";
import { type Batch, bytesIn, eventsIn } from "../../core/event/batch.ts";
import {
  type Job,
  type JobId,
  type Priority,
  Queue,
  QueueUnavailable,
} from "../../core/queue/queue.ts";
import { type Signal, Signals } from "../../core/signal.ts";
import { makeAskStore } from "../../core/store_failure.ts";
import { currentTrace, type TraceContext } from "../../core/trace.ts";
import { acknowledgeRows } from "./acknowledge.ts";
import { readBacklog } from "./backlog.ts";
import { Boss, type ExecuteSql, preparing, QueueDatabase } from "./boss.ts";
import { claimsOf, jobsOf } from "./claims.ts";
import { fetchRows } from "./fetch.ts";
import { findJob } from "./find.ts";
import { makeGroupCommit } from "./group_commit.ts";
import { isJobId, newRowId, partId, PARTS_MAX } from "./job_id.ts";
import { carried, rowWith } from "./payload.ts";
import { EVENTS_QUEUE } from "./queue_settings.ts";
import { ROW_BYTES_MAX, ROW_EVENTS_MAX } from "./row_size.ts";

type QueueConnections = QueueDatabase["Service"];

export interface PgBossQueueOptions extends QueueConnections {
  readonly boss: Boss["Service"];
  /** Raised when jobs were committed. */
  readonly queued: Signal;
  /** The most bytes of events that may wait in this process for their commit. */
  readonly bufferBytesMax: number;
}

/** Which share of the bytes that may wait for their commit one client may have. */
const CLIENT_SHARE = 0.5;

/** The most bytes of one commit: more rows than that are no cheaper each, and all of them are in memory as text. */
const COMMIT_BYTES_MAX = 4 * ROW_BYTES_MAX;

/** One commit waits for its disk while the next group gathers; a second one overlaps the two. */
const COMMITS_MAX = 2;

/** How far apart commits begin at most: what comes in meanwhile shares a row, and a row costs as much as many events. */
const COMMIT_PACE_MS_MAX = 8;

/** The most rows of one take; what they hold is bounded besides. */
const ROWS_MAX = 256;

const UNREADABLE = { message: "the payload cannot be read by this build" };

/** The durable queue in Postgres, by pg-boss. Batches that are accepted together share a row. */
export const makePgBossQueue = (options: PgBossQueueOptions): Queue["Service"] => {
  const { boss, diagnose } = options;
  const unavailable = makeAskStore(diagnose)(QueueUnavailable);

  const insert = async (items: ReadonlyArray<Enqueued>): Promise<ReadonlyArray<JobId>> => {
    const rows = packRows(items).map((packed) => ({ ...packed, id: newRowId(Date.now()) }));
    const encoded = rows.map(({ id, parts, priority }) => {
      const batches = parts.map(({ batch, trace }) => carried(batch, trace));
      return rowWith(id, batches, priority);
    });
    await boss.insert(EVENTS_QUEUE, await Promise.all(encoded));
    const ids = new Map<Enqueued, JobId>();
    for (const { id, parts } of rows) {
      for (const [i, part] of parts.entries()) ids.set(part, partId(id, i + 1));
    }
    return items.map((item) => ids.get(item) ?? "");
  };

  const submit = makeGroupCommit<Enqueued, JobId>({
    commit: insert,
    diagnose,
    bytesOf: ({ bytes }) => bytes,
    bytesMax: options.bufferBytesMax,
    clientOf: ({ client }) => client,
    clientBytesMax: options.bufferBytesMax * CLIENT_SHARE,
    commitBytesMax: COMMIT_BYTES_MAX,
    commitsMax: COMMITS_MAX,
    paceMsMax: COMMIT_PACE_MS_MAX,
    fills: ({ batch, bytes }) =>
      Math.max(batch.events.length / ROW_EVENTS_MAX, bytes / ROW_BYTES_MAX),
  });

  // How many events a row held lately: those that are looked at and not taken are locked for other workers meanwhile.
  let rowEvents = ROW_EVENTS_MAX;

  const fetchJobs = async (eventsMax: number): Promise<ReadonlyArray<Job>> => {
    const history = options.history();
    // One more, so that a guess which is too low does not leave room unused.
    const rowsMax = Math.min(Math.ceil(eventsMax / rowEvents) + 1, ROWS_MAX);
    const rows = await fetchRows(options.execute, rowsMax, eventsMax);
    const jobs: Job[] = [];
    for (const row of rows) {
      // One by one: to read one takes milliseconds, and requests have a turn in between.
      const held = await jobsOf(row, history);
      // Its neighbours must not wait for it. It comes again, and is dead after its last retry.
      if (held === undefined) await boss.fail(EVENTS_QUEUE, [row], UNREADABLE);
      else jobs.push(...held);
    }
    if (rows.length > 0) {
      rowEvents = Math.max(1, eventsIn(jobs) / rows.length);
    }
    return jobs;
  };

  return {
    enqueue: (batch, priority = "normal") =>
      Effect.zipWith(currentTrace, Client, (trace, client): Enqueued => {
        return { batch, bytes: bytesIn(batch.events), client, priority, trace };
      }).pipe(
        Effect.flatMap(submit),
        Effect.tap(() => options.queued.raise),
      ),
    fetch: (eventsMax) => unavailable(() => fetchJobs(eventsMax)),
    heartbeat: (jobs) => unavailable(() => boss.touch(EVENTS_QUEUE, [...claimsOf(jobs)])),
    acknowledge: (acknowledgements) =>
      unavailable(() => {
        const history = options.history();
        return acknowledgeRows(
          boss,
          preparing(options.executeIn(history)),
          acknowledgements,
          history,
        );
      }),
    find: (id) =>
      isJobId(id)
        ? unavailable((signal) => {
            const execute: ExecuteSql = (text, values, name) =>
              options.executeRead(text, values, name, signal);
            return findJob(boss, execute, id.toLowerCase());
          })
        : Effect.succeedNone,
    backlog: unavailable(() => readBacklog(options.executeControl)),
  };
};

/** @param bufferBytesMax the most bytes of events that may wait in this process for their commit */
export const queueLayer = (
  bufferBytesMax: number,
): Layer.Layer<Queue, never, Boss | QueueDatabase | Signals> =>
  Layer.effect(
    Queue,
    Effect.gen(function* () {
      const database = yield* QueueDatabase;
      const { queued } = yield* Signals;
      return makePgBossQueue({ ...database, boss: yield* Boss, queued, bufferBytesMax });
    }),
  );

interface Enqueued {
  readonly batch: Batch;
  readonly bytes: number;
  readonly client: string;
  readonly priority: Priority;
  readonly trace: TraceContext | undefined;
}

interface Packed {
  readonly priority: Priority;
  readonly parts: Enqueued[];
  events: number;
  bytes: number;
}

/** Packs batches into rows in their order, those of each priority for themselves. */
const packRows = (items: ReadonlyArray<Enqueued>): ReadonlyArray<Packed> => {
  const rows: Packed[] = [];
  const open = new Map<Priority, Packed>();
  for (const item of items) {
    const { batch, bytes, priority } = item;
    let row = open.get(priority);
    if (
      row === undefined ||
      row.parts.length >= PARTS_MAX ||
      row.events + batch.events.length > ROW_EVENTS_MAX ||
      row.bytes + bytes > ROW_BYTES_MAX
    ) {
      row = { priority, parts: [], events: 0, bytes: 0 };
      open.set(priority, row);
      rows.push(row);
    }
    row.parts.push(item);
    row.events += batch.events.length;
    row.bytes += bytes;
  }
  return rows;
};
