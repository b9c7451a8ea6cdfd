import { setTimeout as delay } from "node:timers/promises";

import { identityOf } from "../../../core/event/event.ts";
import type { SentEvent } from "../../shared/activity.ts";
import type { Scenario, Scene } from "../scenario.ts";
import { STEP } from "../statements.ts";
import { until } from "../until.ts";

const ACCOUNT = "poison";
const RETRY_MS = 200;
const SKIPPED_WITHIN_MS = 60_000;

/** Nothing that the service accepts is refused by a read model of today, so that one is made to. */
const REFUSE = `
  alter table read_models.activity_by_type
    add constraint chaos_refuses check (account_id <> '${ACCOUNT}') not valid`;
const REFUSE_NO_MORE =
  "alter table read_models.activity_by_type drop constraint if exists chaos_refuses";

/** An event that cannot be folded is found by halving, noted and skipped, and costs no other event its count. */
export const poisonEventIsSkipped: Scenario = {
  name: "poison-event-is-skipped",
  about: "events that a read model refuses, among many others, while projectors are killed",
  run: async (scene) => {
    await scene.database.query(REFUSE);
    let events = 0;
    await scene.repeat(async () => {
      const event = poison(++events);
      await accept(scene, event);
      const identity = identityOf({ accountId: ACCOUNT, eventId: event.event_id });
      scene.provoked.poisonEvents.add(identity);
      scene.broke();
      if (scene.random() < 0.5) await scene.killAt(scene.roles.projector, "unsent", STEP);
      await scene.rest(1_000);
    });
    const { poisonEvents } = scene.provoked;
    await until(
      "every poisoned event is skipped",
      async () => {
        const rows = await scene.database.query("select from read_models.poisoned_events");
        return rows.length >= poisonEvents.size;
      },
      SKIPPED_WITHIN_MS,
    );
    await scene.database.query(REFUSE_NO_MORE);
  },
};

const poison = (n: number): SentEvent => ({
  event_id: `poison-${n}`,
  account_id: ACCOUNT,
  user_id: "mallory",
  type: "custom",
  timestamp: new Date(Date.now() - 60_000).toISOString(),
  metadata: {},
});

const accept = async ({ ledger, roles }: Scene, event: SentEvent): Promise<void> => {
  ledger.sending([event]);
  for (;;) {
    const answer = await fetch(`${roles.api.url}/events`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ events: [event] }),
    }).catch(() => undefined);
    if (answer?.status === 202) break;
    await delay(RETRY_MS);
  }
  await ledger.accepted([event]);
};
