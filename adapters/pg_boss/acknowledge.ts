import type { Db, PgBoss } from "pg-boss";

import { queuedIn } from "../../core/event/batch.ts";
import type { Counts, Acknowledgement } from "../../core/queue/queue.ts";
import { type Claim, claimOf } from "./claims.ts";
import { carried, rowWith } from "./payload.ts";
import { EVENTS_QUEUE } from "./queue_settings.ts";

/** The output of a completed row, unless every event of it was appended. */
export interface Output {
  /** By part; null for a part that failed and got a row of its own. */
  readonly counts: ReadonlyArray<Counts | null>;
}

/**
 * Completes or fails rows, given how each of their parts ended. Skips claims from an earlier
 * history of the database: after a failover to a standby that had not received their appends,
 * completing them would lose events. They get no more heartbeats, so pg-boss redelivers them.
 *
 * @param db runs statements only in this history
 */
export const acknowledgeRows = async (
  boss: PgBoss,
  db: Db,
  acknowledgements: ReadonlyArray<Acknowledgement>,
  history: number,
): Promise<void> => {
  const plain: Claim[] = [];
  for (const [claim, parts] of byRow(acknowledgements)) {
    if (claim.history !== history) continue;
    if (parts.every(allAppended)) {
      plain.push(claim);
      continue;
    }
    const [only] = parts;
    if (parts.length === 1 && only?._tag === "Failed") {
      await boss.fail(EVENTS_QUEUE, [claim], { message: only.reason }, { db });
      continue;
    }
    await isolateFailed(boss, db, parts);
    const output: Output = {
      counts: parts.map((part) => (part._tag === "Completed" ? part.counts : null)),
    };
    await boss.complete(EVENTS_QUEUE, [claim], output, { db });
  }
  // Nearly every row is plain: one statement completes them all.
  if (plain.length > 0) await boss.complete(EVENTS_QUEUE, plain, null, { db });
};

const byRow = (acknowledgements: ReadonlyArray<Acknowledgement>): Map<Claim, Acknowledgement[]> => {
  const rows = new Map<Claim, Acknowledgement[]>();
  for (const acknowledgement of acknowledgements) {
    const claim = claimOf(acknowledgement.job);
    const parts = rows.get(claim);
    if (parts === undefined) rows.set(claim, [acknowledgement]);
    else parts.push(acknowledgement);
  }
  return rows;
};

const allAppended = (acknowledgement: Acknowledgement): boolean =>
  acknowledgement._tag === "Completed" &&
  acknowledgement.counts.appended === queuedIn(acknowledgement.job.batch);

/**
 * Gives each failed part a row of its own, so that its retries do not affect its neighbours. The
 * row gets the part's id: repeating this after a crash changes nothing.
 */
const isolateFailed = async (
  boss: PgBoss,
  db: Db,
  parts: ReadonlyArray<Acknowledgement>,
): Promise<void> => {
  const failed = parts.filter((part) => part._tag === "Failed");
  if (failed.length === 0) return;
  await boss.insert(
    EVENTS_QUEUE,
    await Promise.all(
      failed.map(async ({ job }) => ({
        ...(await rowWith(job.id, [carried(job.batch, job.trace)])),
        startAfter: 1,
      })),
    ),
    { db },
  );
};
