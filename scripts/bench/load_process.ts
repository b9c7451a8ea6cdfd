import { setTimeout as delay } from "node:timers/promises";

import { type OpenLoad, sendOpenLoad } from "./open_load.ts";
import { loadBatch, openPoster } from "./poster.ts";

/**
 * A load in a process of its own.
 *
 * - `open URL LOAD` sends a load at a fixed rate, given as JSON, and prints the result as JSON.
 * - `closed URL EVENTS CLIENTS [ACCOUNT]` prints `ready`, and posts as fast as the service accepts
 *   until SIGTERM.
 */
const [mode, url = "", ...rest] = process.argv.slice(2);

const sendClosedLoad = async ([events, clients, account]: ReadonlyArray<string>): Promise<void> => {
  const eventsPerRequest = Number(events);
  let stopping = false;
  const post = async (): Promise<void> => {
    const poster = await openPoster(url);
    for (;;) {
      if (stopping) break;
      const status = await poster.post(loadBatch(eventsPerRequest, account));
      if (status === 503) await delay(50);
      else if (status !== 202) throw new Error(`POST /events answered ${status}`);
    }
    poster.close();
  };
  process.once("SIGTERM", () => {
    stopping = true;
  });
  process.stdout.write("ready\n");
  await Promise.all(Array.from({ length: Number(clients) }, post));
};

if (mode === "closed") await sendClosedLoad(rest);
else {
  const result = await sendOpenLoad(url, JSON.parse(rest[0] ?? "") as OpenLoad);
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
