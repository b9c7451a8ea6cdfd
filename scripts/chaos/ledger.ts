import { open } from "node:fs/promises";

import { identityOf } from "../../core/event/event.ts";
import type { SentEvent } from "../shared/activity.ts";

/** An event that was sent, perhaps many times. */
export interface Sent {
  readonly accountId: string;
  /** What the log has to hold of it beside its identity (`contentOf`). */
  readonly content: string;
  /** Whether any request that held it was answered with 202. */
  accepted: boolean;
}

/** What was sent, and what of it the service has said it accepted. */
export interface Ledger {
  /** To be told before events are sent for the first time. */
  readonly sending: (events: ReadonlyArray<SentEvent>) => void;
  /** To be told of each 202; returns once it is on disk. */
  readonly accepted: (events: ReadonlyArray<SentEvent>) => Promise<void>;
  /** All that was sent, by identity. */
  readonly sent: ReadonlyMap<string, Sent>;
  /** How many events were accepted, each counted once. */
  readonly acceptedCount: () => number;
  /** How many events an account was sent, each counted once. */
  readonly sentTo: (accountId: string) => number;
  readonly close: () => Promise<void>;
}

/** What two copies of one event must agree in. */
export const contentOf = (event: {
  readonly userId: string;
  readonly type: string;
  readonly occurredAt: number;
  readonly metadata: string | null;
}): string => `${event.userId}\n${event.type}\n${event.occurredAt}\n${event.metadata ?? ""}`;

const idOf = (event: SentEvent): string =>
  identityOf({ accountId: event.account_id, eventId: event.event_id });

/** Opens a ledger in a new file of JSON lines: the identities of one 202 each. */
export const openLedger = async (path: string): Promise<Ledger> => {
  const file = await open(path, "wx");
  const sent = new Map<string, Sent>();
  const byAccount = new Map<string, number>();
  let acceptedCount = 0;
  let lines: string[] = [];
  let writing: Promise<void> | undefined;

  /** Answers that come together share a sync. */
  const write = async (): Promise<void> => {
    while (lines.length > 0) {
      const text = lines.join("");
      lines = [];
      await file.write(text);
      await file.datasync();
    }
    writing = undefined;
  };

  return {
    sent,
    acceptedCount: () => acceptedCount,
    sentTo: (accountId) => byAccount.get(accountId) ?? 0,
    sending: (events) => {
      for (const event of events) {
        const id = idOf(event);
        if (sent.has(id)) continue;
        const content = contentOf({
          userId: event.user_id,
          type: event.type,
          occurredAt: Date.parse(event.timestamp),
          metadata: JSON.stringify(event.metadata),
        });
        sent.set(id, { accountId: event.account_id, content, accepted: false });
        byAccount.set(event.account_id, (byAccount.get(event.account_id) ?? 0) + 1);
      }
    },
    accepted: async (events) => {
      for (const event of events) {
        const entry = sent.get(idOf(event));
        if (entry === undefined || entry.accepted) continue;
        entry.accepted = true;
        acceptedCount++;
      }
      lines.push(`${JSON.stringify(events.map((event) => [event.account_id, event.event_id]))}\n`);
      await (writing ??= write());
    },
    close: async () => {
      await writing;
      await file.close();
    },
  };
};
