import { type Event, identityOf } from "./event.ts";

/** Events of which each identity is held once: the first that came with it. */
export interface FirstEvents {
  /**
   * Adds an event unless one of its identity is held.
   *
   * @returns the one that is held already, or undefined if this is the first
   */
  readonly add: (event: Event) => Event | undefined;
  /** Those that are held, in the order in which they came. */
  readonly events: ReadonlyArray<Event>;
}

/**
 * Holds the first event of each identity in a hash table with open addressing. A `Map` by the joined ids takes three
 * times as long, and each event goes through here twice: when its batch is accepted, and when it is appended.
 *
 * @param expected about how many events will come
 */
export const makeFirstEvents = (expected: number): FirstEvents => {
  const events: Event[] = [];
  const hashes: number[] = [];
  /** Where in `events` the event is that belongs here, or `FREE`. At most half of the slots are taken. */
  let slots = freeSlots(2 ** Math.ceil(Math.log2(2 * expected + SLOTS_MIN)));
  /** Those that found no slot: somebody chose their ids so that they have one hash. */
  const crowded = new Map<string, Event>();

  /** The event of this identity that is held; if there is none, puts that one here which has this place in `events`. */
  const findOrPut = (event: Event, hash: number, place: number): Event | undefined => {
    const mask = slots.length - 1;
    for (let probe = 0; probe < PROBES_MAX; probe++) {
      const slot = (hash + probe) & mask;
      const there = slots[slot] as number;
      if (there === FREE) {
        slots[slot] = place;
        return undefined;
      }
      const held = events[there] as Event;
      if (hashes[there] === hash && isSame(held, event)) return held;
    }
    const identity = identityOf(event);
    const held = crowded.get(identity);
    if (held === undefined) crowded.set(identity, event);
    return held;
  };

  const grow = (): void => {
    slots = freeSlots(2 * slots.length);
    crowded.clear();
    for (const [place, event] of events.entries()) {
      findOrPut(event, hashes[place] as number, place);
    }
  };

  return {
    events,
    add: (event) => {
      const hash = hashOf(event);
      const held = findOrPut(event, hash, events.length);
      if (held !== undefined) return held;
      events.push(event);
      hashes.push(hash);
      if (2 * events.length > slots.length) grow();
      return undefined;
    },
  };
};

const FREE = -1;

const SLOTS_MIN = 8;

/** Beyond so many slots nobody looks further: ids that were not chosen for it hardly ever get there. */
const PROBES_MAX = 64;

const freeSlots = (count: number): number[] => Array.from({ length: count }, () => FREE);

const isSame = (a: Event, b: Event): boolean =>
  a.eventId === b.eventId && a.accountId === b.accountId;

const FNV_BASIS = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** FNV-1a over both ids, its upper bits folded into the lower ones, which choose the slot. */
const hashOf = ({ accountId, eventId }: Event): number => {
  const hash = hashFrom(hashFrom(FNV_BASIS, eventId), accountId);
  return hash ^ (hash >>> 15);
};

const hashFrom = (begin: number, text: string): number => {
  let hash = begin;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME);
  return hash;
};
