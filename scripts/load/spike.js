// The usual load, a sudden spike of ten times as much, and the usual load again. The service may
// refuse some of the spike, and must then recover.
import { RATE, durationSeconds, steady, thresholds } from "./tidemark.js";

const SECONDS = durationSeconds(90);
const SPIKE_SECONDS = SECONDS / 6;
const BEFORE_SECONDS = SECONDS / 3;
/** The time to process the backlog of the spike. */
const RECOVERY_SECONDS = Math.min(10, SECONDS / 6);
const AFTER_SECONDS = SECONDS - BEFORE_SECONDS - SPIKE_SECONDS - RECOVERY_SECONDS;

const TIMES = 10;
const WRITES = 35 * RATE;
const READS = 15 * RATE;

const BEFORE = { part: "usual" };
const SPIKE = { part: "spike", after: BEFORE_SECONDS };
const RECOVERY = { part: "spike", after: SPIKE.after + SPIKE_SECONDS };
const AFTER = { part: "usual", after: RECOVERY.after + RECOVERY_SECONDS };

/** @type {import("k6/options").Options} */
export const options = {
  scenarios: {
    writes_before: steady("write", WRITES, BEFORE_SECONDS, BEFORE),
    reads_before: steady("read", READS, BEFORE_SECONDS, BEFORE),
    writes_in_spike: steady("write", WRITES * TIMES, SPIKE_SECONDS, SPIKE),
    reads_in_spike: steady("read", READS * TIMES, SPIKE_SECONDS, SPIKE),
    writes_in_recovery: steady("write", WRITES, RECOVERY_SECONDS, RECOVERY),
    reads_in_recovery: steady("read", READS, RECOVERY_SECONDS, RECOVERY),
    writes_after: steady("write", WRITES, AFTER_SECONDS, AFTER),
    reads_after: steady("read", READS, AFTER_SECONDS, AFTER),
    follow_after: steady("follow", 1, AFTER_SECONDS, AFTER),
  },
  thresholds: thresholds("usual"),
};

export { follow, read, setup, write } from "./baseline.js";
