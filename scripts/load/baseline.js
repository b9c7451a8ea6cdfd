// The usual load: 35 posts of 10 events and 15 summaries per second.
import {
  begin,
  follow,
  newEvents,
  postEvents,
  RATE,
  readSummary,
  durationSeconds,
  someAccount,
  steady,
  thresholds,
} from "./tidemark.js";

const SECONDS = durationSeconds(60);

/** @type {import("k6/options").Options} */
export const options = {
  scenarios: {
    writes: steady("write", 35 * RATE, SECONDS),
    reads: steady("read", 15 * RATE, SECONDS),
    follow: steady("follow", 1, SECONDS),
  },
  thresholds: thresholds(),
};

export const setup = begin;

/** @param {{ run: string }} data */
export const write = (data) => {
  postEvents(newEvents(data, 10));
};

export const read = () => {
  readSummary(someAccount());
};

export { follow };
