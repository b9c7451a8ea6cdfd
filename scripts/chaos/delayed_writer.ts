import type { Socket } from "node:net";

/** How a link is. `stalled`: bytes wait. `gone`: bytes vanish, and neither end is told. */
export type LinkCondition = "up" | "stalled" | "gone" | { readonly latencyMs: number };

/** One direction of a proxied connection. */
export interface DelayedWriter {
  readonly push: (bytes: Buffer) => void;
  /** Closes the far end, behind all that was pushed. */
  readonly end: () => void;
  /** Sends what may be sent now; to be called when the condition has changed. */
  readonly pump: () => void;
}

interface Parcel {
  /** Undefined for the end. */
  readonly bytes: Buffer | undefined;
  readonly dueAt: number;
}

/** Makes a lane to a socket. Whatever the condition does, bytes never overtake one another. */
export const makeDelayedWriter = (to: Socket, condition: () => LinkCondition): DelayedWriter => {
  const parcels: Parcel[] = [];
  let timer: NodeJS.Timeout | undefined;

  const pump = (): void => {
    clearTimeout(timer);
    for (let next = parcels[0]; next !== undefined; next = parcels[0]) {
      if (condition() === "stalled" || to.destroyed) return;
      const waitMs = next.dueAt - performance.now();
      if (waitMs > 0) {
        timer = setTimeout(pump, waitMs);
        return;
      }
      parcels.shift();
      if (next.bytes === undefined) to.end();
      else to.write(next.bytes);
    }
  };
  const push = (bytes: Buffer | undefined): void => {
    const now = condition();
    const latencyMs = typeof now === "object" ? now.latencyMs : 0;
    parcels.push({ bytes, dueAt: performance.now() + latencyMs });
    pump();
  };
  return { push, end: () => push(undefined), pump };
};
