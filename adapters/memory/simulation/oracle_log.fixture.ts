import { type Event, identityOf } from "../../../core/event/event.ts";
import { shardOf } from "../../../core/event/shard.ts";
import { formatTimestamp } from "../../../core/event/timestamp.ts";
import { complain, type Complaint } from "./complaint.fixture.ts";
import type { SentEvent } from "./ledger.fixture.ts";
import { isUnstorable } from "./poison.fixture.ts";
import type { World } from "./world.fixture.ts";

/** Holds the log against what was sent and accepted. */
export const judgeLog = ({ backend, ledger }: World): ReadonlyArray<Complaint> => {
  const rows = backend.store.shards.flatMap(({ events }) => events);
  const held = new Set(rows.map(identityOf));

  const lost = ledger.requests.flatMap(({ events, outcome }) => {
    const decoded = events.map(namesOf);
    // A job is one: with an event that cannot be stored it is dead, and the sender told so.
    if (outcome._tag !== "Accepted" || decoded.some(isUnstorable)) return [];
    return decoded
      .map(identityOf)
      .filter((identity) => !held.has(identity))
      .map((identity) => `${identity} of ${backend.jobs.get(outcome.accepted.jobId)?.name}`);
  });

  const sent = new Set(
    ledger.requests
      .filter(({ outcome }) => outcome._tag !== "Rejected")
      .flatMap(({ events }) => events.map(textOfSent)),
  );
  const invented = rows.filter((row) => isUnstorable(row) || !sent.has(textOf(row)));

  const seen = new Set<string>();
  const repeated = rows.map(identityOf).filter((identity) => {
    const again = seen.has(identity);
    seen.add(identity);
    return again;
  });

  return [
    ...complain("what was accepted is in the log", lost),
    ...complain("only what was sent is in the log", invented.map(textOf)),
    ...complain("an identity is in the log once", repeated),
    ...complain("positions are dense", backend.store.shards.flatMap(outOfPlace)),
  ];
};

/** The events of a shard that are not where they belong. */
const outOfPlace = (
  { events }: World["backend"]["store"]["shards"][number],
  shard: number,
  { length: shards }: ReadonlyArray<unknown>,
): ReadonlyArray<string> =>
  events
    .filter(
      (event, index) =>
        event.position !== index + 1 ||
        event.shard !== shard ||
        shardOf(event.accountId, shards) !== shard ||
        event.recordedAt < (events[index - 1]?.recordedAt ?? 0),
    )
    .map((event) => `${identityOf(event)} at ${event.position} of shard ${event.shard}`);

const namesOf = ({ account_id, event_id }: SentEvent) => ({
  accountId: account_id,
  eventId: event_id,
});

const textOfSent = (event: SentEvent): string =>
  [event.account_id, event.event_id, event.user_id, event.type, event.timestamp].join("\n");

const textOf = (event: Event): string =>
  [
    event.accountId,
    event.eventId,
    event.userId,
    event.type,
    formatTimestamp(event.occurredAt),
  ].join("\n");
