/** Bounds the memory of all request bodies together that are being read. */
export interface BodyBudget {
  /** Takes some bytes; false, and takes none, when there are not so many left. */
  readonly take: (bytes: number) => boolean;
  readonly giveBack: (bytes: number) => void;
}

/**
 * What counts is what came in, not what was announced: whoever announces much and sends it slowly takes
 * nothing away from others.
 */
export const makeBodyBudget = (bytesMax: number): BodyBudget => {
  let left = bytesMax;
  return {
    take: (bytes) => {
      if (bytes > left) return false;
      left -= bytes;
      return true;
    },
    giveBack: (bytes) => {
      left += bytes;
    },
  };
};
