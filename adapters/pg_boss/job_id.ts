import type { JobId } from "../../core/queue/queue.ts";

/**
 * Several accepted batches share one row of the queue as its parts, numbered from 1. The id of a
 * part is the id of its row with the part's number in the last three hex digits, which are zero in
 * a row's own id. So every job id is a UUID, and its row is found without a look-up table.
 */

/** The most parts of a row that three hex digits can number. */
export const PARTS_MAX = 0xfff;

/**
 * A new row id: a UUID of version 7 (RFC 9562) with its last 12 random bits zero. Its ids sort by
 * time, so the primary key grows at its end.
 *
 * @param now milliseconds since the Unix epoch
 */
export const newRowId = (now: number): string => {
  const random = crypto.randomUUID();
  const time = now.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(15, 33)}000`;
};

/** When a row id was created, about when its jobs were queued: milliseconds since the epoch. */
export const madeAt = (rowId: string): number =>
  Number.parseInt(rowId.slice(0, 8) + rowId.slice(9, 13), 16);

export const partId = (rowId: string, part: number): JobId =>
  rowId.slice(0, -3) + part.toString(16).padStart(3, "0");

/** The row of a job, and its part number there; 0 for the row itself. */
export const rowOf = (id: JobId): { readonly rowId: string; readonly part: number } => ({
  rowId: `${id.slice(0, -3)}000`,
  part: Number.parseInt(id.slice(-3), 16),
});

/** Whether a text is a well-formed id of a row or a job, in upper or lower case. */
export const isRowOrJobId = (text: string): boolean =>
  /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(text);

/** Whether a text is a well-formed job id. Part 0 is a row, whose id no client ever received. */
export const isJobId = (text: string): boolean => isRowOrJobId(text) && !text.endsWith("000");
