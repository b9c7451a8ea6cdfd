import { EmbeddedPostgresFailed } from "./errors.ts";
import { until } from "./until.ts";

const POLL_MS = 5;

/** How long each way of stopping may take, in milliseconds. */
export interface StopBounds {
  /** Fast shutdown writes everything that is in memory to disk. */
  readonly fastMs: number;
  /** Immediate shutdown, and killing, only end the processes. */
  readonly immediateMs: number;
}

const defaultBounds: StopBounds = { fastMs: 30_000, immediateMs: 5_000 };

/**
 * Stops a server: SIGINT (fast: ends sessions, rolls back what is open, writes a checkpoint), then
 * SIGQUIT (immediate), then SIGKILL. The harder ways lose nothing that was committed: the next
 * start replays the log, which only takes longer.
 *
 * @param signal sends a signal to the server; of no effect when it has ended already
 * @param isGone whether the server has ended
 * @returns the signal that did it
 * @throws EmbeddedPostgresFailed when not even SIGKILL did
 */
export async function stopServer(
  signal: (name: NodeJS.Signals) => void,
  isGone: () => boolean | Promise<boolean>,
  { fastMs, immediateMs }: StopBounds = defaultBounds,
): Promise<NodeJS.Signals> {
  const ways = [
    ["SIGINT", fastMs],
    ["SIGQUIT", immediateMs],
    ["SIGKILL", immediateMs],
  ] as const;
  const probe = async () => ((await isGone()) ? true : undefined);
  for (const [name, withinMs] of ways) {
    signal(name);
    if (await until(probe, { everyMs: POLL_MS, withinMs })) return name;
  }
  throw new EmbeddedPostgresFailed("The Postgres server does not end, not even when killed.");
}
