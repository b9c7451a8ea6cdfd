/** Bytes in one block of memory. */
export interface HeldBytes {
  readonly bytes: () => Uint8Array;
  /** How much memory is allocated for them, in bytes. */
  readonly capacity: () => number;
  /** Frees the memory without waiting for garbage collection; empties what `bytes` returned. */
  readonly free: () => void;
}

/** Bytes that arrive in pieces and are kept in one block of memory. */
export interface GrowingBuffer extends HeldBytes {
  readonly length: () => number;
  /** Appends a copy; returns false if it may not grow. Invalidates what `bytes` returned before. */
  readonly append: (piece: Uint8Array) => boolean;
}

/** The smallest allocation, in bytes. */
const CAPACITY_MIN = 4_096;

/**
 * Allocates at most twice the bytes that were appended, or `CAPACITY_MIN`, and never more than
 * `lengthMax`.
 *
 * @param lengthMax the most bytes that may be appended
 * @param charge called before each allocation with the number of additional bytes; returns false to
 *   refuse it
 */
export const makeGrowingBuffer = (
  lengthMax: number,
  charge: (bytes: number) => boolean,
): GrowingBuffer => {
  // Allocated late: V8 collects garbage more often the more ArrayBuffers exist, even empty ones.
  let block: ArrayBuffer | undefined;
  let length = 0;
  return {
    length: () => length,
    capacity: () => block?.byteLength ?? 0,
    append: (piece) => {
      const needed = length + piece.length;
      if (needed > lengthMax) throw new RangeError(`${needed} bytes of at most ${lengthMax}`);
      const capacity = block?.byteLength ?? 0;
      if (block === undefined || needed > capacity) {
        const grown = Math.min(lengthMax, Math.max(needed * 2, CAPACITY_MIN));
        if (!charge(grown - capacity)) return false;
        block = block === undefined ? new ArrayBuffer(grown) : block.transfer(grown);
      }
      new Uint8Array(block).set(piece, length);
      length = needed;
      return true;
    },
    bytes: () => (block === undefined ? new Uint8Array() : new Uint8Array(block, 0, length)),
    free: () => {
      block?.transfer(0);
      block = undefined;
      length = 0;
    },
  };
};

/** Bytes that arrived in one piece, in memory that nothing else uses. */
export const heldPiece = (piece: Uint8Array): HeldBytes => ({
  bytes: () => piece,
  capacity: () => piece.length,
  free: () => {},
});
