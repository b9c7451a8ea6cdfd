import { type Child, startChild } from "./child.ts";

/** Starts clients that post events as fast as they are accepted, all of them of one account if one is given. */
export const startLoad = (
  url: string,
  eventsPerRequest: number,
  clients: number,
  account?: string,
): Promise<Child> => {
  const args = [url, String(eventsPerRequest), String(clients)];
  const of = account === undefined ? [] : [account];
  return startChild("scripts/bench/post_process.ts", [...args, ...of], {}, /^(ready)$/);
};
