import { isIPv6 } from "node:net";

/** What HOST says where a service listens on every interface, and where it can be asked then. */
const ANY: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };

/**
 * Where a service with the settings of this process can be asked from this machine. It is no URL where HOST or PORT
 * make none.
 */
export const serviceUrl = ({ HOST, PORT }: NodeJS.ProcessEnv = process.env): string => {
  const host = ANY[HOST ?? ""] ?? (HOST || "127.0.0.1");
  return `http://${isIPv6(host) ? `[${host}]` : host}:${PORT || "3000"}`;
};
