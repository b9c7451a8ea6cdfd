import { createHmac, createSecretKey, timingSafeEqual } from "node:crypto";

/** Signs what processes of one log leave in Redis for each other, so that nobody else can. */
export interface Signature {
  /**
   * A text with its signature.
   *
   * @param place where it is put: the same text anywhere else is not signed
   */
  readonly sign: (place: string, text: string) => string;
  /** The text that was signed for this place; undefined for anything else. */
  readonly verify: (place: string, signed: string) => string | undefined;
}

/** Characters of a SHA-256 in base64url. */
const MAC_CHARACTERS = 43;

/** @param secret of the log; who has it can read the database */
export const makeSignature = (secret: Uint8Array): Signature => {
  const key = createSecretKey(secret);
  // A place holds no NUL: identifiers have no control characters but the line breaks between them.
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
