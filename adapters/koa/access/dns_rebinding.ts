import { isIPv4, isIPv6 } from "node:net";

/**
 * Whether somebody else may have pointed the name in a request's Host header to this machine (DNS
 * rebinding): if the name of a web site resolves to 127.0.0.1, browsers let its pages read every
 * response of a service there. That cannot happen with an IP address or localhost, which never
 * leaves the machine (RFC 6761). It can with any other name: one without a dot through a search
 * domain, and one below .local through anybody on the network.
 *
 * @param allowed other names of this service, in lower case
 */
export const isPublicName = (
  host: string | undefined,
  allowed: ReadonlySet<string> = new Set(),
): boolean => {
  // Every browser sends Host.
  if (host === undefined || host === "") return false;
  const name = host.replace(/:\d*$/, "").toLowerCase();
  const isLocal =
    name === "127.0.0.1" ||
    /^(?:.+\.)?localhost\.?$/.test(name) ||
    isIPv4(name) ||
    (name.startsWith("[") && name.endsWith("]") && isIPv6(name.slice(1, -1)));
  return !isLocal && !allowed.has(name);
};
