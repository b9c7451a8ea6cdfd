// The usual load for hours, to find leaks, growth and slowdowns.
import { RATE, durationSeconds, steady, thresholds } from "./tidemark.js";

const SECONDS = durationSeconds(2 * 3_600);

/** @type {import("k6/options").Options} */
export const options = {
  scenarios: {
    writes: steady("write", 35 * RATE, SECONDS),
    reads: steady("read", 15 * RATE, SECONDS),
    follow: steady("follow", 1, SECONDS),
  },
  thresholds: thresholds(),
};

export { follow, read, setup, write } from "./baseline.js";
