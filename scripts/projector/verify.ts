import type pg from "pg";

import { type WrongRow, verifyShard } from "../../adapters/postgres/verify.ts";
import { printable } from "../../core/printable.ts";
import type { Lag } from "../../core/projection/projection.ts";
import { count } from "../shared/format.ts";
import { type Progress, progressLine } from "../shared/progress.ts";

export interface VerifyCommand {
  readonly pool: pg.Pool;
  /** The lag of the live generation. */
  readonly lags: ReadonlyArray<Lag>;
  readonly shardsAtOnce: number;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** Counts the log again, prints every live row that differs, and returns the exit code. */
export const runVerify = async (command: VerifyCommand): Promise<number> => {
  const { pool, lags, shardsAtOnce, progress, signal, say } = command;
  const of = lags.reduce((events, { checkpoint }) => events + checkpoint, 0);
  const sinceMs = performance.now();
  let done = 0;
  let wrong = 0;
  const onWrong = (row: WrongRow): void => {
    wrong++;
    say(wrongText(row));
  };
  const show = (): void =>
    progress.show(
      progressLine("Verifying", { done, of, sinceMs, doneBefore: 0 }, performance.now()),
    );
  show();
  const waiting = [...lags];
  const verifyNext = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      await verifyShard(pool, next.shard, signal, onWrong);
      done += next.checkpoint;
      show();
    }
  };
  await Promise.all(Array.from({ length: shardsAtOnce }, verifyNext));
  progress.print(
    wrong === 0
      ? `Every row agrees with the log: ${count(of)} events in ${lags.length} shards.`
      : `${count(wrong)} ${wrong === 1 ? "row differs" : "rows differ"} from the log. npm run projector rebuilds them.`,
  );
  return wrong === 0 ? 0 : 1;
};

/** Escapes the ids in the key, which clients chose. */
const wrongText = ({ shard, table, key, live, log }: WrongRow): string =>
  printable(
    `${table} shard ${shard} ${key}: ${live ?? "no row"}, but ${log ?? "nothing"} in the log`,
  );
