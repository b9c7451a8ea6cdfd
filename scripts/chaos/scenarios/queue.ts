import { setTimeout as delay } from "node:timers/promises";

import { pick } from "../../testbed/choose.ts";
import { ACKNOWLEDGE, APPEND, ENQUEUE, FETCH, type Scenario } from "../scenario.ts";

/** A 202 is sent after the commit, so an API that dies at any moment loses nothing. */
export const acceptedIsDurable: Scenario = {
  name: "accepted-is-durable",
  about: "kill -9 of the API before, during and after the commit before a 202, and at any moment",
  weight: 2.5,
  run: async (scene) => {
    const { api } = scene.roles;
    await scene.repeat(async () => {
      const moment = pick(scene.random, ["any", "unsent", "uncommitted", "unanswered"] as const);
      if (moment === "any") {
        await api.kill();
        scene.killed();
      } else await scene.killAt(api, moment, ENQUEUE);
      await api.ready();
      await scene.rest(200);
    });
  },
};

/** If a worker dies before the events of a job are in the log, the job is redelivered. */
export const unappendedJobReturns: Scenario = {
  name: "unappended-job-returns",
  about: "kill -9 of the worker before an append reaches the log, or before it commits",
  weight: 2,
  run: async (scene) => {
    const { worker } = scene.roles;
    await scene.repeat(async () => {
      const [moment, statement] = pick(scene.random, [
        ["unanswered", FETCH],
        ["unsent", APPEND],
        ["uncommitted", APPEND],
      ] as const);
      await scene.killAt(worker, moment, statement);
      await scene.rest(400);
    });
  },
};

/** If a worker dies between append and acknowledge, the redelivered job finds its events in the log. */
export const appendedJobCountsOnce: Scenario = {
  name: "appended-job-counts-once",
  about: "kill -9 of the worker after an append, before or while it acknowledges the job",
  weight: 2,
  run: async (scene) => {
    const { worker } = scene.roles;
    await scene.repeat(async () => {
      const [moment, statement] = pick(scene.random, [
        ["unanswered", APPEND],
        ["unsent", ACKNOWLEDGE],
        ["uncommitted", ACKNOWLEDGE],
        ["unanswered", ACKNOWLEDGE],
      ] as const);
      await scene.killAt(worker, moment, statement);
      await scene.rest(400);
    });
  },
};

/** Longer than the queue waits for a heartbeat (10 s) and between two checks for it (2 s). */
const FROZEN_MS = 14_000;
const FREEZE_WITHIN_MS = 5_000;

/**
 * A worker without heartbeats loses its jobs to another one. When it continues, its appends find their events in the
 * log, and its acknowledgements find another attempt.
 */
export const frozenWorkerIsFenced: Scenario = {
  name: "frozen-worker-is-fenced",
  about:
    "SIGSTOP of one of two workers with jobs in flight until they are redelivered, then SIGCONT",
  weight: 1.5,
  run: async (scene) => {
    const workers = [scene.roles.worker, await scene.another("worker")];
    await scene.repeat(async () => {
      const worker = pick(scene.random, workers);
      const [moment, statement] = pick(scene.random, [
        ["unsent", APPEND],
        ["uncommitted", APPEND],
        ["unanswered", APPEND],
        ["unsent", ACKNOWLEDGE],
        ["unanswered", ACKNOWLEDGE],
      ] as const);
      const caught = await worker.link.catchAt(moment, statement, FREEZE_WITHIN_MS);
      scene.aimed(caught !== undefined);
      worker.signal("SIGSTOP");
      scene.broke();
      await delay(FROZEN_MS);
      caught?.release();
      worker.signal("SIGCONT");
    });
  },
};

const LOSE_ANSWER_WITHIN_MS = 1_000;

/** Expires the leases of all jobs in flight, so that the supervisor redelivers them. */
const EXPIRE_LEASES = `
  update tidemark_queue.job set heartbeat_on = heartbeat_on - interval '1 hour'
  where name = 'events' and state = 'active'`;

/** An identity counts once, whoever sends it, how often, in which order, at the same time or later. */
export const sameBatchCountsOnce: Scenario = {
  name: "same-batch-counts-once",
  about:
    "every batch posted three times concurrently in different orders; jobs delivered to two workers",
  load: { clients: 8, batchMax: 25, pauseMaxMs: 150, copiedShare: 1 },
  run: async (scene) => {
    await scene.another("worker");
    const { api } = scene.roles;
    await scene.repeat(async () => {
      if (pick(scene.random, ["unanswered", "redelivered"]) === "redelivered") {
        await scene.database.query(EXPIRE_LEASES);
      } else {
        const caught = await api.link.catchAt("unanswered", ENQUEUE, LOSE_ANSWER_WITHIN_MS);
        scene.aimed(caught !== undefined);
        caught?.cut();
      }
      scene.broke();
      await scene.rest(300);
    });
  },
};
