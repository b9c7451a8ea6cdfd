import type { Principal } from "./principal.ts";

/**
 * A key as its owner has it: `tm_<id>_<secret>`. The id is public and names the key in lists and logs;
 * the secret is shown once and kept only as a hash.
 */
export interface ApiKeyText {
  readonly id: string;
  readonly secret: string;
}

const FORM = /^tm_([a-z0-9]{12})_([A-Za-z0-9_-]{43})$/;

/** The parts of a key; undefined for a text that cannot be one. */
export const parseApiKey = (text: string): ApiKeyText | undefined => {
  const [, id, secret] = FORM.exec(text) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret };
};

export const formatApiKey = ({ id, secret }: ApiKeyText): string => `tm_${id}_${secret}`;

const LOWER = "abcdefghijklmnopqrstuvwxyz";
const ID_ALPHABET = `${LOWER}234567`;
const SECRET_ALPHABET = `${LOWER}${LOWER.toUpperCase()}0123456789-_`;

const ID_LENGTH = 12;
const SECRET_LENGTH = 43;

/** How many random bytes make a key. */
export const API_KEY_BYTES = ID_LENGTH + SECRET_LENGTH;

/** Makes a key: of 60 random bits its id, of 258 its secret. */
export const newApiKey = (random: Uint8Array): ApiKeyText => {
  // Both alphabets have a power of two letters, so that each is as likely as the others.
  const spell = (bytes: Uint8Array, alphabet: string): string =>
    Array.from(bytes, (byte) => alphabet[byte % alphabet.length]).join("");
  return {
    id: spell(random.subarray(0, ID_LENGTH), ID_ALPHABET),
    secret: spell(random.subarray(ID_LENGTH, API_KEY_BYTES), SECRET_ALPHABET),
  };
};

/** A key as it is stored. */
export interface StoredApiKey {
  /** SHA-256 of the secret. It has 258 random bits: a slower hash would protect nothing more. */
  readonly secretHash: Uint8Array;
  readonly principal: Principal;
  readonly revoked: boolean;
}
