import { suite } from "uvu";
import * as assert from "uvu/assert";

import { makeMeters } from "./metrics/meters.ts";
import { checkHealth } from "./readiness.ts";
import { LASTING_MS, makeTaskFaults } from "./task_faults.ts";

const test = suite("faults in the background");

const make = () => {
  let at = 0;
  const meters = makeMeters();
  const faults = makeTaskFaults(meters, () => at);
  const isReady = async () => {
    const { ready, checks } = await checkHealth({
      roles: new Set(["api"]),
      database: async () => "ok",
      faults: faults.lasting,
    });
    return { ready, told: checks["checkpoints"] };
  };
  return { meters, faults, isReady, pass: (ms: number) => void (at += ms) };
};

test("failures are counted by task, from zero", () => {
  const { meters, faults } = make();
  const quotas = faults.observe("quotas");
  faults.observe("refresh");
  quotas.failed("denied");
  quotas.failed("denied");
  assert.match(meters.text(), /tidemark_background_failures_total\{task="quotas"\} 2/);
  assert.match(meters.text(), /tidemark_background_failures_total\{task="refresh"\} 0/);
});

test("a process that cannot read the checkpoints for five seconds is not ready and says why, until it can", async () => {
  const { faults, isReady, pass } = make();
  const checkpoints = faults.observe("checkpoints");
  checkpoints.failed("denied");
  pass(LASTING_MS - 1);
  assert.equal(await isReady(), { ready: true, told: undefined });
  checkpoints.failed("denied for ever");
  pass(1);
  assert.equal(await isReady(), { ready: false, told: "failing: denied for ever" });
  checkpoints.recovered();
  assert.equal(await isReady(), { ready: true, told: undefined });
  checkpoints.failed("denied");
  assert.equal(await isReady(), { ready: true, told: undefined });
});

test("a task that no promise depends on does not affect readiness", async () => {
  const { faults, isReady, pass } = make();
  faults.observe("refresh").failed("denied");
  pass(10 * LASTING_MS);
  assert.equal(await isReady(), { ready: true, told: undefined });
});

test.run();
