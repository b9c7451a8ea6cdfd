import { open } from "node:fs/promises";

import { identityOf } from "../../core/event/event.ts";
import type { SentEvent } from "../shared/activity.ts";

/** An event that was sent at least once. */
export interface Sent {
  readonly accountId: string;
  /** What the log must contain beside the identity (`contentOf`). */
  readonly content: string;
  /** Whether any request with it was answered 202. */
  accepted: boolean;
}

/** What was sent, and which of it the service accepted. */
export interface Ledger {
  /** Records events before they are sent for the first time. */
  readonly sending: (events: ReadonlyArray<SentEvent>) => void;
  /** Records a 202; returns once it is on disk. */
  readonly accepted: (events: ReadonlyArray<SentEvent>) => Promise<void>;
  /** Everything that was sent, by identity. */
  readonly sent: ReadonlyMap<string, Sent>;
  /** The number of distinct events that were accepted. */
  readonly acceptedCount: () => number;
  /** The number of distinct events that were sent for an account. */
  readonly sentTo: (accountId: string) => number;
  readonly close: () => Promise<void>;
}

/** The fields that all copies of an event must agree on. */
export const contentOf = (event: {
  readonly userId: string;
  readonly type: string;
  readonly occurredAt: number;
  readonly metadata: string | null;
}): string => `${event.userId}\n${event.type}\n${event.occurredAt}\n${event.metadata ?? ""}`;

const idOf = (event: SentEvent): string =>
  identityOf({ accountId: event.account_id, eventId: event.event_id });

/** Opens a ledger in a new file of JSON lines. Each line has the identities of one 202. */
export const openLedger = async (path: string): Promise<Ledger> => {
  const file = await open(path, "wx");
  const sent = new Map<string, Sent>();
  const byAccount = new Map<string, number>();
  let acceptedCount = 0;
  let lines: string[] = [];
  let writing: Promise<void> | undefined;

  /** Answers that arrive together share a sync. */
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
