import { loadBatch } from "./load_batch.ts";
import { openPoster } from "./poster.ts";

/**
 * Posts events as fast as they are accepted, in a process of its own. Takes the URL, how many events a
 * request, how many clients and, if all events are to be of one, the account; prints how many events were
 * accepted, once a second, until SIGTERM.
 */
const [url = "", events = "10", clients = "32", account] = process.argv.slice(2);
const eventsPerRequest = Number(events);
let accepted = 0;
let stopping = false;

const run = async (): Promise<void> => {
  const poster = await openPoster(url);
  for (;;) {
    if (stopping) break;
    const status = await poster.post(loadBatch(eventsPerRequest, account));
    if (status === 202) accepted += eventsPerRequest;
    else if (status === 503) await new Promise((resolve) => setTimeout(resolve, 50));
    else throw new Error(`POST /events answered ${status}`);
  }
  poster.close();
};

process.stdout.write("ready\n");
const tell = setInterval(() => process.stdout.write(`${accepted}\n`), 1_000);
process.once("SIGTERM", () => {
  stopping = true;
});
await Promise.all(Array.from({ length: Number(clients) }, run));
clearInterval(tell);
