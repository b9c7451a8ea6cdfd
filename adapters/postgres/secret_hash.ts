import { hash, timingSafeEqual } from "node:crypto";

/** What is stored of a key's secret: its SHA-256. */
export const hashSecret = (secret: string): Buffer => hash("sha256", secret, "buffer");

/** Whether a hash is of this secret, in a time that does not tell where they differ. */
export const isSecretOf = (secret: string, stored: Uint8Array): boolean => {
  const own = hashSecret(secret);
  return own.length === stored.length && timingSafeEqual(own, stored);
};
