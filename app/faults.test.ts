import { suite } from "uvu";
import * as assert from "uvu/assert";

import { LASTING_MS, makeFaults } from "./faults.ts";
import { makeMeters } from "./metrics/meters.ts";
import { checkReadiness } from "./readiness.ts";

const test = suite("faults in the background");

const make = () => {
  let at = 0;
  const meters = makeMeters();
  const faults = makeFaults(meters, () => at);
  const isReady = async () => {
    const { ready, checks } = await checkReadiness({
      _tag: "Running",
      roles: new Set(["api"]),
      reachable: async () => "ok",
      faults: faults.lasting,
    });
    return { ready, told: checks["checkpoints"] };
  };
  return { meters, faults, isReady, pass: (ms: number) => void (at += ms) };
};

test("each failure is counted by its task, and a task is there with zero before it fails", () => {
  const { meters, faults } = make();
  const quotas = faults.observe("quotas");
  faults.observe("refresh");
  quotas.failed("denied");
  quotas.failed("denied");
  assert.match(meters.text(), /tidemark_background_failures_total\{task="quotas"\} 2/);
  assert.match(meters.text(), /tidemark_background_failures_total\{task="refresh"\} 0/);
});

test("a process that has not read the checkpoints for five seconds is not ready, and says why, until it reads them", async () => {
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

test("a task that no promise depends on is no reason to be not ready", async () => {
  const { faults, isReady, pass } = make();
  faults.observe("refresh").failed("denied");
  pass(10 * LASTING_MS);
  assert.equal(await isReady(), { ready: true, told: undefined });
});

test.run();
