import type { OpenLoad, OpenLoadResult } from "./open_load.ts";
import { type Child, startChild } from "./with_service.ts";

const PROCESS = "scripts/bench/load_process.ts";

/** Starts clients that post as fast as the service accepts, of one account if it is given. */
export const startLoad = (
  url: string,
  eventsPerRequest: number,
  clients: number,
  account?: string,
): Promise<Child> => {
  const args = ["closed", url, String(eventsPerRequest), String(clients)];
  return startChild(PROCESS, account === undefined ? args : [...args, account], {}, /^(ready)$/);
};

/** Sends an open load from a process of its own, so that it takes no time from this one. */
export const sendFromElsewhere = async (url: string, load: OpenLoad): Promise<OpenLoadResult> => {
  const child = await startChild(PROCESS, ["open", url, JSON.stringify(load)], {}, /^(\{.*\})$/);
  return JSON.parse(child.found) as OpenLoadResult;
};
