import type { Socket } from "node:net";

/** The condition of a link. `stalled`: bytes are held back. `gone`: bytes vanish, and neither end notices. */
export type LinkCondition = "up" | "stalled" | "gone" | { readonly latencyMs: number };

/** One direction of a proxied connection. */
export interface DelayedWriter {
  readonly push: (bytes: Buffer) => void;
  /** Closes the far end after everything that was pushed. */
  readonly end: () => void;
  /** Sends what may be sent now. Call it when the condition changes. */
  readonly pump: () => void;
}

interface Parcel {
  /** Undefined to close the connection. */
  readonly bytes: Buffer | undefined;
  readonly dueAt: number;
}

/** Makes a writer that keeps the order of all bytes, however the condition changes. */
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
