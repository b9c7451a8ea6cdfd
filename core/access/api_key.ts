import type { Principal } from "./principal.ts";

/**
 * A key as its owner keeps it: `tm_<id>_<secret>`. The id is public and names the key in lists and logs.
 * The secret is shown once and stored only as a hash.
 */
export interface ApiKeyText {
  readonly id: string;
  readonly secret: string;
}

const FORM = /^tm_([a-z0-9]{12})_([A-Za-z0-9_-]{43})$/;

/** The parts of a key; undefined if the text is not a key. */
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

/** How many random bytes `newApiKey` takes. */
export const API_KEY_BYTES = ID_LENGTH + SECRET_LENGTH;

/** Makes a key. Its id has 60 random bits, its secret 258. */
export const newApiKey = (random: Uint8Array): ApiKeyText => {
  // The size of both alphabets is a power of two, so all letters are equally likely.
  const spell = (bytes: Uint8Array, alphabet: string): string =>
    Array.from(bytes, (byte) => alphabet[byte % alphabet.length]).join("");
  return {
    id: spell(random.subarray(0, ID_LENGTH), ID_ALPHABET),
    secret: spell(random.subarray(ID_LENGTH, API_KEY_BYTES), SECRET_ALPHABET),
  };
};

/** A key as it is stored. */
export interface StoredApiKey {
  /** SHA-256 of the secret. The secret has 258 random bits, so a slower hash would not protect it better. */
  readonly secretHash: Uint8Array;
  readonly principal: Principal;
  readonly revoked: boolean;
}
