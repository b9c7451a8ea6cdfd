import { setTimeout as delay } from "node:timers/promises";

import { SHARDS_DEFAULT } from "../../../core/event/shard.ts";
import type { Scenario } from "../scenario.ts";

const HELD_MAX_MS = 30_000;
const HELD_MIN_MS = 3_000;

/** Appends to a shard take turns. One that does not end holds up its shard, and none is skipped or counted twice. */
export const openAppendHoldsItsShard: Scenario = {
  name: "open-append-holds-its-shard",
  about: "a transaction that holds the head of a shard for up to 30 s while others commit",
  run: async (scene) => {
    const { database, random } = scene;
    const headsExcept = async (shard: number): Promise<number> => {
      const [row] = await database.query<{ events: string }>(
        "select sum(position) as events from tidemark.log_heads where shard <> $1",
        [shard],
      );
      return Number(row?.events);
    };
    await scene.repeat(async () => {
      const shard = Math.floor(random() * SHARDS_DEFAULT);
      const before = await headsExcept(shard);
      await database.session(async (client) => {
        await client.query("begin");
        await client.query("select from tidemark.log_heads where shard = $1 for update", [shard]);
        scene.broke();
        await delay(Math.min(HELD_MAX_MS, Math.max(HELD_MIN_MS, scene.leftMs())));
        await client.query("rollback");
      });
      const passed = (await headsExcept(shard)) - before;
      scene.note(`${passed} events were appended to other shards while one was held`);
      if (passed === 0) scene.fail("nothing was appended to other shards while one was held");
    });
  },
};
