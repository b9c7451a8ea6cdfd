import { pick } from "../random.ts";
import type { Scenario } from "../scenario.ts";
import { ENQUEUE } from "../statements.ts";

const MOMENT_WITHIN_MS = 1_000;

/** As if every worker had been silent for an hour; the supervisor then hands their jobs out again. */
const LAPSE_CLAIMS = `
  update tidemark_queue.job set heartbeat_on = heartbeat_on - interval '1 hour'
  where name = 'events' and state = 'active'`;

/** An identity counts once: whoever sends it, how often, in what order, at the same time or later. */
export const sameBatchCountsOnce: Scenario = {
  name: "same-batch-counts-once",
  about:
    "every batch posted three times at once in different orders; jobs handed out to two workers at once",
  load: { clients: 8, batchMax: 25, pauseMaxMs: 150, copiedShare: 1 },
  run: async (scene) => {
    await scene.another("worker");
    const { api } = scene.roles;
    await scene.repeat(async () => {
      if (pick(scene.random, ["unanswered", "redelivered"]) === "redelivered") {
        await scene.database.query(LAPSE_CLAIMS);
      } else {
        const caught = await api.link.catchAt("unanswered", ENQUEUE, MOMENT_WITHIN_MS);
        scene.aimed(caught !== undefined);
        caught?.cut();
      }
      scene.broke();
      await scene.rest(300);
    });
  },
};
