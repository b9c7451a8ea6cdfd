import { Clock, Context, Effect } from "effect";

import type { Batch } from "../event/batch.ts";
import type { Lane, QueueFull } from "../queue/queue.ts";
import type { Admission } from "./admission.ts";

/**
 * Decides which batches wait behind others. When more comes in than can be worked off, somebody has to
 * wait, and it is to be those who send most of it: the others' events go ahead of theirs.
 */
export const Lanes = Context.Reference<{
  /**
   * The lane of a batch, which counts from now on as sent.
   *
   * @errors `QueueFull` when whoever sends most must wait until the backlog is smaller
   */
  readonly of: (batch: Batch) => Effect.Effect<Lane, QueueFull>;
}>("tidemark/command/Lanes", { defaultValue: () => ({ of: () => Effect.succeed("normal") }) });

/** Who sent how much is forgotten by half in this time. */
const HALF_LIFE_MS = 5_000;

/** Nobody is loud who sends less than this, in events a second. */
const LOUD_MIN = 500;

/** Loud is who sends such a share of everything, or so many times what an account sends on average. */
const LOUD_SHARE = 0.25;
const LOUD_TIMES_AVERAGE = 5;

/** How many accounts are told apart; beyond it those are forgotten that sent least. */
const ACCOUNTS_MAX = 100_000;

/** How much each account sent lately, fading away. */
export const makeLoudness = () => {
  /** In units that grow as time goes on, so that what is past fades without being touched. */
  const sent = new Map<string, number>();
  let total = 0;
  let epoch: number | undefined;

  const unit = (now: number): number => {
    epoch ??= now;
    return 2 ** ((now - epoch) / HALF_LIFE_MS);
  };

  /** Before the units grow too large to be told apart; those of who has been silent go. */
  const rescale = (now: number): void => {
    const factor = 1 / unit(now);
    epoch = now;
    total = 0;
    for (const [accountId, events] of sent) {
      const left = events * factor;
      if (left < 1) sent.delete(accountId);
      else {
        sent.set(accountId, left);
        total += left;
      }
    }
  };

  const RESCALE_AT = 2 ** 20;

  return {
    add: (accountId: string, events: number, now: number): void => {
      if (unit(now) > RESCALE_AT || sent.size > ACCOUNTS_MAX) rescale(now);
      if (sent.size > ACCOUNTS_MAX) {
        sent.clear();
        total = 0;
      }
      const weight = events * unit(now);
      sent.set(accountId, (sent.get(accountId) ?? 0) + weight);
      total += weight;
    },
    isLoud: (accountId: string, now: number): boolean => {
      const own = sent.get(accountId) ?? 0;
      // What fades with a half-life adds up to so many times what comes in a second.
      const perSecond = (own / unit(now)) * (Math.LN2 / (HALF_LIFE_MS / 1_000));
      if (perSecond < LOUD_MIN) return false;
      return own >= Math.min(total * LOUD_SHARE, (total / sent.size) * LOUD_TIMES_AVERAGE);
    },
  };
};

/** Lanes by how much each account sends; `behind` is refused when half of a bound is reached. */
export const makeLanes = (admission: Admission["Service"]): (typeof Lanes)["Service"] => {
  const loudness = makeLoudness();
  return {
    of: Effect.fnUntraced(function* (batch) {
      const now = yield* Clock.currentTimeMillis;
      let loud = 0;
      for (const [accountId, events] of eventsByAccount(batch)) {
        loudness.add(accountId, events, now);
        if (loudness.isLoud(accountId, now)) loud += events;
      }
      const lane = loud * 2 <= batch.events.length ? "normal" : "behind";
      const refusal = lane === "behind" ? admission.refusal(now, lane) : undefined;
      if (refusal !== undefined) return yield* refusal;
      admission.admit(batch.events.length);
      return lane;
    }),
  };
};

const eventsByAccount = ({ events }: Batch): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>();
  for (const { accountId } of events) counts.set(accountId, (counts.get(accountId) ?? 0) + 1);
  return counts;
};
