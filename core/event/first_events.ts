import { type Event, identityOf } from "./event.ts";

/** The first event of each identity. */
export interface FirstEvents {
  /** Adds an event, unless there is one with its identity already. Returns that one, or undefined. */
  readonly add: (event: Event) => Event | undefined;
  /** The events that were added, in order. */
  readonly events: ReadonlyArray<Event>;
}

/**
 * A hash table with open addressing. A `Map` keyed by the joined ids takes three times as long, and each event passes here
 * twice: when its batch is accepted, and when it is appended.
 *
 * @param expected about how many events will be added
 */
export const makeFirstEvents = (expected: number): FirstEvents => {
  const events: Event[] = [];
  const hashes: number[] = [];
  /** The index in `events` of the event in each slot, or `FREE`. At most half of the slots are in use. */
  let slots = freeSlots(2 ** Math.ceil(Math.log2(2 * expected + SLOTS_MIN)));
  /** Events without a slot: their ids were chosen to have the same hash. */
  const crowded = new Map<string, Event>();

  /** The event with this identity. If there is none, adds the one with this index in `events`. */
  const findOrPut = (event: Event, hash: number, index: number): Event | undefined => {
    const mask = slots.length - 1;
    for (let probe = 0; probe < PROBES_MAX; probe++) {
      const slot = (hash + probe) & mask;
      const there = slots[slot] as number;
      if (there === FREE) {
        slots[slot] = index;
        return undefined;
      }
      const earlier = events[there] as Event;
      if (hashes[there] === hash && isSame(earlier, event)) return earlier;
    }
    const identity = identityOf(event);
    const earlier = crowded.get(identity);
    if (earlier === undefined) crowded.set(identity, event);
    return earlier;
  };

  const grow = (): void => {
    slots = freeSlots(2 * slots.length);
    crowded.clear();
    for (const [index, event] of events.entries()) {
      findOrPut(event, hashes[index] as number, index);
    }
  };

  return {
    events,
    add: (event) => {
      const hash = hashOf(event);
      const earlier = findOrPut(event, hash, events.length);
      if (earlier !== undefined) return earlier;
      events.push(event);
      hashes.push(hash);
      if (2 * events.length > slots.length) grow();
      return undefined;
    },
  };
};

const FREE = -1;

const SLOTS_MIN = 8;

/** A search ends after this many slots. Ids that were not chosen for it hardly ever get there. */
const PROBES_MAX = 64;

const freeSlots = (count: number): number[] => Array.from({ length: count }, () => FREE);

const isSame = (a: Event, b: Event): boolean =>
  a.eventId === b.eventId && a.accountId === b.accountId;

const FNV_BASIS = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** FNV-1a over the UTF-16 units of both ids, with the upper bits folded into the lower ones, which choose the slot. Never stored. */
const hashOf = ({ accountId, eventId }: Event): number => {
  const hash = hashFrom(hashFrom(FNV_BASIS, eventId), accountId);
  return hash ^ (hash >>> 15);
};

const hashFrom = (basis: number, text: string): number => {
  let hash = basis;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME);
  return hash;
};
