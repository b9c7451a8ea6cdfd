import { isIPv6 } from "node:net";

import { UsageError } from "../../adapters/terminal/command_line.ts";

/** Values of HOST that mean every interface, and an address to reach the service at. */
const ANY: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };

/** The address of a service with the settings of this process, which may be an invalid URL. */
export const serviceUrl = ({ HOST, PORT }: NodeJS.ProcessEnv = process.env): string => {
  const host = ANY[HOST ?? ""] ?? (HOST || "127.0.0.1");
  return `http://${isIPv6(host) ? `[${host}]` : host}:${PORT || "3000"}`;
};

/**
 * Reads the address of a service from the option `--url`, or else from HOST and PORT.
 *
 * @throws UsageError, which does not repeat the address: it can contain a password
 */
export const serviceOrigin = (option: string | undefined): URL => {
  const url = URL.parse(option ?? serviceUrl());
  if (url !== null && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`) return url;
  const name = option === undefined ? "The address in HOST and PORT" : "--url";
  throw new UsageError(`${name} must be a URL such as http://127.0.0.1:3000, without a path`);
};
