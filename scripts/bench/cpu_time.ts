import { readdir, readFile } from "node:fs/promises";

import type pg from "pg";

import { present } from "../../core/invariant.ts";

/** The kernel reports times to user space in hundredths of a second. */
const TICKS_PER_SECOND = 100;

interface ProcessTimes {
  readonly parent: number;
  readonly seconds: number;
  /** The time of its children that have ended. */
  readonly childSeconds: number;
}

/** The times of a process, from Linux; undefined if it has ended. */
const timesOf = async (pid: number): Promise<ProcessTimes | undefined> => {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    // The name is in brackets and can contain anything.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const at = (index: number): number => Number(fields[index - 3]);
    return {
      parent: at(4),
      seconds: (at(14) + at(15)) / TICKS_PER_SECOND,
      childSeconds: (at(16) + at(17)) / TICKS_PER_SECOND,
    };
  } catch {
    return undefined;
  }
};

/** The processor time that a process has used, in seconds. */
export const cpuSecondsOf = async (pid: number): Promise<number> =>
  (await timesOf(pid))?.seconds ?? 0;

/** How long the main thread of a process was ready and waited for a processor, in seconds. */
export const waitSecondsOf = async (pid: number): Promise<number> => {
  const stat = await readFile(`/proc/${pid}/task/${pid}/schedstat`, "utf8").catch(() => "");
  return Number(stat.split(" ")[1] ?? 0) / 1e9;
};

/** The processor time of a Postgres on this machine, including ended processes, in seconds. */
export const cpuSecondsOfPostgres = async (client: pg.ClientBase): Promise<number> => {
  const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
  const backend = present(rows[0], "the session has a process").pid;
  const { parent: server } = present(await timesOf(backend), `${backend} runs on this machine`);
  const own = present(await timesOf(server), `${server}, the server, runs on this machine`);
  let seconds = own.seconds + own.childSeconds;
  for (const name of await readdir("/proc")) {
    const times = /^[0-9]+$/.test(name) ? await timesOf(Number(name)) : undefined;
    if (times?.parent === server) seconds += times.seconds;
  }
  return seconds;
};
