import { isIPv6 } from "node:net";

import { wholeNumber } from "../../adapters/terminal/command_line.ts";

const PORT_MAX = 65_535;

/** What HOST says where a service listens on every interface, and where it can be asked then. */
const ANY: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };

/**
 * Where a service with the settings of this process can be asked from this machine.
 *
 * @throws UsageError when PORT is no port that can be asked
 */
export const serviceUrl = ({ HOST, PORT }: NodeJS.ProcessEnv = process.env): string => {
  const host = ANY[HOST ?? ""] ?? (HOST || "127.0.0.1");
  const port = wholeNumber("PORT", PORT || "3000", { min: 1, max: PORT_MAX });
  return `http://${isIPv6(host) ? `[${host}]` : host}:${port}`;
};
