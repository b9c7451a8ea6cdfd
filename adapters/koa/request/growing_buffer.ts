/** Bytes in a block of memory. */
export interface HeldBytes {
  readonly bytes: () => Uint8Array;
  /** How much memory they take, in bytes: as much as is charged for them. */
  readonly capacity: () => number;
  /** Frees the memory at once, and not when somebody collects garbage; what `bytes` returned is then empty. */
  readonly free: () => void;
}

/** Bytes that come in piece by piece and are kept in one block of memory. */
export interface GrowingBuffer extends HeldBytes {
  readonly length: () => number;
  /**
   * Copies a piece behind the others; false, and copies nothing, when it may not grow to hold it. What `bytes` returned
   * before is then of no use.
   */
  readonly append: (piece: Uint8Array) => boolean;
}

/** The least memory that is allocated, in bytes. */
const CAPACITY_MIN = 4_096;

/**
 * What is allocated is at most twice of what came in, or `CAPACITY_MIN`, and never more than `lengthMax`. Memory that was
 * outgrown is freed at once.
 *
 * @param lengthMax the most bytes that may be appended
 * @param charge called with how many bytes are to be allocated in addition; false if they may not be
 */
export const makeGrowingBuffer = (
  lengthMax: number,
  charge: (bytes: number) => boolean,
): GrowingBuffer => {
  // Not made before it is needed: V8 collects garbage the more often the more such blocks there are, empty or not.
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

/** Bytes that came in one piece, in memory of their own. */
export const heldPiece = (piece: Uint8Array): HeldBytes => ({
  bytes: () => piece,
  capacity: () => piece.length,
  free: () => {},
});
