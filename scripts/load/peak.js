// 5,000 requests per minute, which must meet the thresholds, and then two, four and eight times as
// many, of which the service may refuse some but must not fail any.
import { RATE, durationSeconds, steady, thresholds } from "./tidemark.js";

const SECONDS = durationSeconds(120);
const STEP_SECONDS = SECONDS / 4;

const REQUESTS_PER_SECOND = (5_000 / 60) * RATE;
const WRITES = 0.7 * REQUESTS_PER_SECOND;
const READS = 0.3 * REQUESTS_PER_SECOND;

const AT_PEAK = { part: "peak" };

/** @type {import("k6/options").Options["scenarios"]} */
const beyond = {};
for (const [step, times] of [2, 4, 8].entries()) {
  const part = "beyond";
  const after = (step + 1) * STEP_SECONDS;
  beyond[`writes_x${times}`] = steady("write", WRITES * times, STEP_SECONDS, { after, part });
  beyond[`reads_x${times}`] = steady("read", READS * times, STEP_SECONDS, { after, part });
}

/** @type {import("k6/options").Options} */
export const options = {
  scenarios: {
    writes_at_peak: steady("write", WRITES, STEP_SECONDS, AT_PEAK),
    reads_at_peak: steady("read", READS, STEP_SECONDS, AT_PEAK),
    follow_at_peak: steady("follow", 1, STEP_SECONDS, AT_PEAK),
    ...beyond,
  },
  thresholds: thresholds("peak"),
};

export { follow, read, setup, write } from "./baseline.js";
