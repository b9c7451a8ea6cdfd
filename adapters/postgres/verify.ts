import type pg from "pg";

import { present } from "../../core/invariant.ts";
import { READ_MODELS } from "../../core/projection/read_models.ts";
import type { Database, Statement } from "./pool.ts";
import { compileVerify, compileVerifyWindows, type Verification } from "./read_model_sql.ts";
import { transact } from "./transaction.ts";

/** A row of the live read models that differs from the log. */
export interface WrongRow {
  readonly shard: number;
  readonly table: string;
  /** The key within the shard, as a JSON object. */
  readonly key: string;
  /** The count of the row; null if it is missing. */
  readonly live: number | null;
  /** The count of the log; null if the row should not exist. */
  readonly log: number | null;
}

/** How many wrong rows are fetched from the database at a time. */
const FETCH_ROWS = 1_000;

const CHECKPOINT: Statement = {
  name: "checkpoint_to_verify",
  text: "select position from read_models.checkpoints where shard = $1",
};

/**
 * Recounts the log of one shard, as far as it is folded, and compares every row of the live read
 * models and of the windows with it, as of one moment. Blocks nothing but a flip.
 *
 * @param onWrong called for each row that differs; none is kept in memory
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
      const checkpoint = present(folded, `shard ${shard} has a checkpoint`).position;
      const verifications = [
        ...READ_MODELS.map((model) => compileVerify(model, shard, checkpoint)),
        compileVerifyWindows("window_types", shard, checkpoint),
        compileVerifyWindows("window_users", shard, checkpoint),
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
  // Plans for all rows, not for the first ones.
  await run("set local cursor_tuple_fraction = 1");
  await run(`declare wrong no scroll cursor for ${text}`);
  for (;;) {
    const rows = await run(`fetch ${FETCH_ROWS} from wrong`);
    for (const row of rows) onWrong({ shard, table, ...row });
    if (rows.length < FETCH_ROWS) break;
  }
  await run("close wrong");
};
