import { isIPv4, isIPv6 } from "node:net";

/**
 * Whether a request's Host is a name that somebody else may have given to this machine. To a browser, the page of a
 * web site whose own name leads to 127.0.0.1 is of the same site as a service there, and may read all its answers (DNS
 * rebinding). An address cannot be used so, nor can localhost, which never leaves the machine (RFC 6761). Any other name
 * can: one without a dot by a search domain, and one below .local by whoever is on the network.
 *
 * @param allowed other names that are known to be of this service, in lower case
 */
export const isPublicName = (
  host: string | undefined,
  allowed: ReadonlySet<string> = new Set(),
): boolean => {
  // Every browser sends one.
  if (host === undefined || host === "") return false;
  const name = host.replace(/:\d*$/, "").toLowerCase();
  const isLocal =
    name === "127.0.0.1" ||
    /^(?:.+\.)?localhost\.?$/.test(name) ||
    isIPv4(name) ||
    (name.startsWith("[") && name.endsWith("]") && isIPv6(name.slice(1, -1)));
  return !isLocal && !allowed.has(name);
};
