// One account with 2,000 events per second from a million users, and its summaries, beside the
// usual load of other accounts. Neither may slow down the other.
import {
  follow,
  newEvents,
  postEvents,
  RATE,
  readSummary,
  durationSeconds,
  someUser,
  steady,
  thresholds,
} from "./tidemark.js";

const SECONDS = durationSeconds(60);
const WHALE = "load-whale";
const WHALE_USERS = 1_000_000;

/** @type {import("k6/options").Options} */
export const options = {
  scenarios: {
    whale_writes: steady("writeWhale", 20 * RATE, SECONDS, { part: "whale" }),
    whale_reads: steady("readWhale", 50 * RATE, SECONDS, { part: "whale" }),
    writes: steady("write", 35 * RATE, SECONDS, { part: "others" }),
    reads: steady("read", 15 * RATE, SECONDS, { part: "others" }),
    follow: steady("follow", 1, SECONDS, { part: "others" }),
  },
  thresholds: { ...thresholds("whale"), ...thresholds("others") },
};

/** @param {{ run: string }} data */
export const writeWhale = (data) => {
  const user = () => someUser(WHALE_USERS);
  postEvents(newEvents(data, 100, () => WHALE, user));
};

export const readWhale = () => {
  readSummary(WHALE, Math.random() < 0.5 ? "last_24h" : "last_7d");
};

export { follow };
export { read, setup, write } from "./baseline.js";
