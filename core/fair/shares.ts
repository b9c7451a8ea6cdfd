import { invariant } from "../invariant.ts";

/**
 * Why nothing was taken. `share`: the client would hold more than an equal share among the current clients and one more.
 * `full`: it would not; the others hold too much.
 */
export type Refusal = "share" | "full";

/** A fixed amount, such as bytes of memory, that clients take from and give back to. */
export interface Shares {
  /** Takes an amount for a client; if that is refused, takes nothing and returns why. */
  readonly take: (client: string, amount: number) => Refusal | undefined;
  /** Gives back what a client took, in one or several parts. */
  readonly giveBack: (client: string, amount: number) => void;
  /** How much all clients together hold. */
  readonly held: () => number;
  /** How many clients hold something. The others are not remembered. */
  readonly clients: () => number;
}

/**
 * Divides an amount among clients so that none can take all of it: a client may hold at most as much as stays free. One
 * client alone gets half. Of several that take as much as they can, each gets about the same, and the same amount stays
 * free for the next one. Network switches divide the memory of their ports by this rule.
 *
 * Each operation takes constant time.
 *
 * @see Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet switches", 1998
 * @param amountMax the amount to divide
 */
export const makeShares = (amountMax: number): Shares => {
  const heldBy = new Map<string, number>();
  let left = amountMax;
  return {
    take: (client, amount) => {
      const held = heldBy.get(client) ?? 0;
      const wanted = held + amount;
      if (wanted > left - amount) {
        return held > 0 && wanted > amountMax / (heldBy.size + 1) ? "share" : "full";
      }
      if (amount > 0) heldBy.set(client, wanted);
      left -= amount;
      return undefined;
    },

    giveBack: (client, amount) => {
      const rest = (heldBy.get(client) ?? 0) - amount;
      invariant(rest >= 0, `${client} gives back ${amount}, more than it took`);
      if (rest === 0) heldBy.delete(client);
      else heldBy.set(client, rest);
      left += amount;
    },

    held: () => amountMax - left,
    clients: () => heldBy.size,
  };
};
