import { sendOpenLoad } from "./open_load.ts";

/**
 * An open load in a process of its own, so that who measures takes no time from it. Takes the URL, the requests a
 * second, the seconds and the events a request; prints what came of it as JSON.
 */
const [url = "", requestsPerSecond, seconds, eventsPerRequest] = process.argv.slice(2);
const result = await sendOpenLoad(url, {
  requestsPerSecond: Number(requestsPerSecond),
  seconds: Number(seconds),
  eventsPerRequest: Number(eventsPerRequest),
});
process.stdout.write(`${JSON.stringify(result)}\n`);
