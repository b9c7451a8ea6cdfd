import { createHmac, createSecretKey, timingSafeEqual } from "node:crypto";

/** Signs what the processes of one log store in Redis, so that nobody else can forge it. */
export interface Signature {
  /**
   * Returns the text with its signature.
   *
   * @param place the key or channel that the text is for; the signature is not valid in any other
   *   place
   */
  readonly sign: (place: string, text: string) => string;
  /** Returns the text if it was signed for this place, and undefined otherwise. */
  readonly verify: (place: string, signed: string) => string | undefined;
}

/** The length of a SHA-256 in base64url. */
const MAC_CHARACTERS = 43;

/** @param secret of the log; whoever knows it can read the database anyway */
export const makeSignature = (secret: Uint8Array): Signature => {
  const key = createSecretKey(secret);
  // A place contains no NUL, because identifiers contain no control characters.
  const macOf = (place: string, text: string): string =>
    createHmac("sha256", key).update(`${place}\0`).update(text).digest("base64url");
  return {
    sign: (place, text) => macOf(place, text) + text,
    verify: (place, signed) => {
      const text = signed.slice(MAC_CHARACTERS);
      const given = Buffer.from(signed.slice(0, MAC_CHARACTERS));
      const right = Buffer.from(macOf(place, text));
      return given.length === right.length && timingSafeEqual(given, right) ? text : undefined;
    },
  };
};
