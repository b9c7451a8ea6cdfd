import type pg from "pg";

import { READ_MODELS } from "../../core/projection/read_models.ts";
import { type Verification, verifyModel, verifyWindows } from "./compile_verify.ts";
import type { Database, Statement } from "./pool.ts";
import { transact } from "./transaction.ts";

/** A row of the live read models that is not what the log says. */
export interface WrongRow {
  readonly shard: number;
  readonly table: string;
  /** The key within the shard, as a JSON object. */
  readonly key: string;
  /** What the row counts; null where it is missing. */
  readonly live: number | null;
  /** What the log holds; null where the row should not be. */
  readonly log: number | null;
}

/** How many wrong rows are taken from the database at a time. */
const FETCH_ROWS = 1_000;

const CHECKPOINT: Statement = {
  name: "checkpoint_to_verify",
  text: "select position from read_models.checkpoints where shard = $1",
};

/**
 * Recounts the log of one shard, as far as it is folded, and compares every row of the live read models
 * and of the windows with it. All of one moment, and without holding up anybody but a flip.
 *
 * @param onWrong is told each row that differs, one after the other: none is kept in memory
 * @returns how many events of the log the shard's read models count
 */
export const verifyShard = (
  pool: pg.Pool,
  shard: number,
  signal: AbortSignal,
  onWrong: (row: WrongRow) => void,
): Promise<number> =>
  transact(
    pool,
    signal,
    async (on) => {
      const [folded] = await on.query<{ position: number }>(CHECKPOINT, [shard]);
      const checkpoint = folded?.position ?? 0;
      const verifications = [
        ...READ_MODELS.map((model) => verifyModel(model, shard, checkpoint)),
        verifyWindows("window_types", shard, checkpoint),
        verifyWindows("window_users", shard, checkpoint),
      ];
      for (const one of verifications) await readWrong(on, shard, one, onWrong);
      return checkpoint;
    },
    "begin isolation level repeatable read, read only",
  );

const readWrong = async (
  on: Database,
  shard: number,
  { table, text }: Verification,
  onWrong: (row: WrongRow) => void,
): Promise<void> => {
  const run = (sql: string) =>
    on.query<Omit<WrongRow, "shard" | "table">>({ name: "", text: sql }, []);
  // All rows are wanted, and not the first ones soon.
  await run("set local cursor_tuple_fraction = 1");
  await run(`declare wrong no scroll cursor for ${text}`);
  for (;;) {
    const rows = await run(`fetch ${FETCH_ROWS} from wrong`);
    for (const row of rows) onWrong({ shard, table, ...row });
    if (rows.length < FETCH_ROWS) break;
  }
  await run("close wrong");
};
