import type { Scenario } from "../scenario.ts";

/** SIGTERM ends a process cleanly: what is under way is answered, what is in hand is finished. */
export const rollingRestartDropsNothing: Scenario = {
  name: "rolling-restart-drops-nothing",
  about: "SIGTERM of one process after the other, of two APIs, a worker and a projector",
  brokenRequestMaxMs: 100,
  run: async (scene) => {
    const { api, worker, projector } = scene.roles;
    const second = await scene.another("api");
    scene.load.sendTo([api.url, second.url]);
    const order = [api, second, worker, projector];
    let turn = 0;
    await scene.repeat(async () => {
      const role = order[turn++ % order.length] ?? api;
      const how = await role.terminate();
      if (how !== 0) scene.fail(`${role.name} ended with ${how} after SIGTERM`);
      scene.broke();
      await role.ready();
      await scene.rest(300);
    });
    scene.load.sendTo([api.url]);
  },
};
