import type { JobId } from "../../core/queue/queue.ts";

/**
 * Several accepted batches share one row of the queue, its parts, numbered from 1. The id of a part is
 * the id of its row with the part's number in the last three hex digits, which are zero in a row's
 * own id: every job id is a UUID, and its row is found without a look-up table.
 */

/** The most parts of a row: what three hex digits can number. */
export const PARTS_MAX = 0xfff;

/**
 * A new row id: a UUID of version 7 (RFC 9562), so that ids sort by time and the primary key grows at
 * its end, with the last 12 of its random bits zero.
 *
 * @param now milliseconds since the Unix epoch
 */
export const newRowId = (now: number): string => {
  const random = crypto.randomUUID();
  const time = now.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(15, 33)}000`;
};

/** When a row id was made, and so about when its jobs were queued: milliseconds since the Unix epoch. */
export const madeAt = (rowId: string): number =>
  Number.parseInt(rowId.slice(0, 8) + rowId.slice(9, 13), 16);

export const partId = (rowId: string, part: number): JobId =>
  rowId.slice(0, -3) + part.toString(16).padStart(3, "0");

/** The row that a job came in, and its part number there; 0 names the row itself. */
export const rowOf = (id: JobId): { readonly rowId: string; readonly part: number } => ({
  rowId: `${id.slice(0, -3)}000`,
  part: Number.parseInt(id.slice(-3), 16),
});

/** Whether a text has the form of a row's id or a job's, upper or lower case. */
export const isRowOrJobId = (text: string): boolean =>
  /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(text);

/** Whether a text has the form of a job id: part 0 names a row, which is several jobs and none of its senders'. */
export const isJobId = (text: string): boolean => isRowOrJobId(text) && !text.endsWith("000");
