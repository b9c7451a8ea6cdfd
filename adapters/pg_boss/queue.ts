import { Effect, Layer } from "effect";

import { Client } from "../../core/access/principal.ts";
import { type Batch, bytesIn, eventsIn } from "../../core/event/batch.ts";
import { present } from "../../core/invariant.ts";
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
import { Boss, type ExecuteSql, preparing, QueueDatabase } from "./boss.ts";
import { claimsOf, jobsOf } from "./claims.ts";
import { findJob } from "./find.ts";
import { makeGroupCommit } from "./group_commit.ts";
import { isJobId, newRowId, partId, PARTS_MAX } from "./job_id.ts";
import { carried, rowWith } from "./payload.ts";
import { fetchRows, readBacklog } from "./private_tables.ts";
import { EVENTS_QUEUE, ROW_BYTES_MAX, ROW_EVENTS_MAX } from "./queue_settings.ts";

type QueueConnections = QueueDatabase["Service"];

export interface PgBossQueueOptions extends QueueConnections {
  readonly boss: Boss["Service"];
  /** Raised when jobs were committed. */
  readonly queued: Signal;
  /** The most bytes of events that may wait for their commit in this process. */
  readonly bufferBytesMax: number;
}

/** The share of `bufferBytesMax` that one client may use. */
const CLIENT_SHARE = 0.5;

/** The most bytes of one commit. More rows would not be cheaper, and all are in memory as text. */
const COMMIT_BYTES_MAX = 4 * ROW_BYTES_MAX;

/** Two, so that one commit can wait for the disk while another one is prepared. */
const COMMITS_MAX = 2;

/** The longest pause between the starts of two commits. Requests of a pause share rows. */
const COMMIT_PACE_MS_MAX = 8;

/** The most rows of one fetch; their content is bounded as well. */
const ROWS_MAX = 256;

const UNREADABLE = { message: "the payload cannot be read by this build" };

/** The durable queue in Postgres, on pg-boss. Batches that are accepted together share a row. */
export const makePgBossQueue = (options: PgBossQueueOptions): Queue["Service"] => {
  const { boss, diagnose } = options;
  const orUnavailable = makeAskStore(diagnose)(QueueUnavailable);

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
    return items.map((item) => present(ids.get(item), "every item was packed into a row"));
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

  // The average number of events in recent rows. Rows that a fetch examines and leaves are locked
  // for other workers.
  let rowEvents = ROW_EVENTS_MAX;

  const fetchJobs = async (eventsMax: number): Promise<ReadonlyArray<Job>> => {
    const history = options.history();
    // One more, so that an estimate that is too low leaves no room unused.
    const rowsMax = Math.min(Math.ceil(eventsMax / rowEvents) + 1, ROWS_MAX);
    const rows = await fetchRows(options.execute, rowsMax, eventsMax);
    const jobs: Job[] = [];
    for (const row of rows) {
      // One by one: decoding a row takes milliseconds, and requests get a turn in between.
      const held = await jobsOf(row, history);
      // It must not block its neighbours. It is redelivered, and becomes a dead letter after its
      // last retry.
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
    fetch: (eventsMax) => orUnavailable(() => fetchJobs(eventsMax)),
    heartbeat: (jobs) => orUnavailable(() => boss.touch(EVENTS_QUEUE, [...claimsOf(jobs)])),
    acknowledge: (acknowledgements) =>
      orUnavailable(() => {
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
        ? orUnavailable((signal) => {
            const execute: ExecuteSql = (text, values, name) =>
              options.executeRead(text, values, name, signal);
            return findJob(boss, execute, id.toLowerCase());
          })
        : Effect.succeedNone,
    backlog: orUnavailable(() => readBacklog(options.executeControl)),
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

/** Packs batches into rows in their order, separately for each priority. */
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
