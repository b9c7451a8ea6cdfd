/**
 * Why nothing was taken. `share`: the client would hold more than an equal share among those who hold something and one
 * newcomer, so it is the one who has to wait. `full`: it would not, and others hold too much.
 */
export type Refusal = "share" | "full";

/** A fixed amount of something, such as bytes of memory, that clients take from and give back to. */
export interface Shares {
  /** Takes an amount for a client. Returns undefined when it was taken; else takes nothing and says why. */
  readonly take: (client: string, amount: number) => Refusal | undefined;
  /** Gives back what a client took; it may give it back in other pieces. */
  readonly giveBack: (client: string, amount: number) => void;
  /** How much all clients hold together. */
  readonly held: () => number;
  /** How many clients hold something. Nothing is remembered of the others. */
  readonly clients: () => number;
}

/**
 * Divides an amount among clients so that none can take all of it: a client may hold at most as much as is left free
 * after it has taken. One client alone gets half; of several that take as much as they can, each gets about an equal part,
 * and as much as one of them has stays free. So a client that holds nothing finds room, as long as it asks for less than that.
 * (Switches divide the memory of their ports by this rule: Choudhury and Hahne, "Dynamic queue length thresholds for
 * shared-memory packet switches", 1998.)
 *
 * Each operation takes constant time.
 *
 * @param amountMax how much there is
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
      if (rest < 0) throw new Error(`${client} gives back more than it took`);
      if (rest === 0) heldBy.delete(client);
      else heldBy.set(client, rest);
      left += amount;
    },

    held: () => amountMax - left,
    clients: () => heldBy.size,
  };
};
