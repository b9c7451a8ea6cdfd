import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";

import type { Context } from "koa";

/** The address of clients for which a proxy forwarded something else. They all share it. */
const UNKNOWN = "unknown";

/** Whether an address belongs to this machine. */
export const isLoopback = (address: string): boolean => {
  // The usual spellings.
  if (address === "127.0.0.1" || address === "::1" || address === "::ffff:127.0.0.1") return true;
  const family = isIP(address);
  if (family === 4) return address.startsWith("127.");
  if (family === 0) return false;
  const groups = groupsOf(address);
  return mappedOf(groups)?.startsWith("127.") ?? groups.join(":") === "0:0:0:0:0:0:0:1";
};

/**
 * What identifies a client without a key: its address, in one spelling, as far as the client cannot
 * choose it. An IPv6 host has a whole network of addresses, and IPv4 addresses can come as IPv6
 * ones.
 */
export const addressOf = (ctx: Context): string => clientAddress(ctx.ip);

/**
 * The same for a request that koa has not seen, from the header that koa uses.
 *
 * @param proxies how many proxies are in front of the service
 */
export const addressOfRequest = (request: IncomingMessage, proxies: number): string => {
  const forwarded = proxies > 0 ? request.headers["x-forwarded-for"] : undefined;
  const ips = forwarded === undefined ? [] : String(forwarded).split(",").slice(-proxies);
  return clientAddress(ips[0]?.trim() || request.socket.remoteAddress);
};

/** The IPv4 address or IPv6 network that identifies a client; a closed socket has no address. */
export const clientAddress = (ip = ""): string => {
  const known = remembered.get(ip);
  if (known !== undefined) return known;
  if (remembered.size >= REMEMBERED_MAX) remembered.clear();
  const address = readAddress(ip);
  remembered.set(ip, address);
  return address;
};

/** Recent addresses: nearly every request has one of a few, and parsing one takes microseconds. */
const remembered = new Map<string, string>();
const REMEMBERED_MAX = 1_000;

const readAddress = (ip: string): string => {
  const address = withoutPort(ip);
  const family = isIP(address);
  if (family === 4) return address;
  if (family === 0) return UNKNOWN;
  const groups = groupsOf(address);
  return mappedOf(groups) ?? `${groups.slice(0, NETWORK_GROUPS).join(":")}::/64`;
};

/** Some proxies append the port. */
const withoutPort = (address: string): string =>
  address.replace(/^(?:\[(.*)\]|([\d.]+))(?::\d+)?$/, "$1$2");

const GROUPS = 8;
const NETWORK_GROUPS = 4;

/** The eight groups of an IPv6 address, in hex without leading zeros. Drops the zone. */
const groupsOf = (address: string): ReadonlyArray<string> => {
  // The URL parser normalises the groups, and writes an IPv4 part as two of them.
  const { hostname } = new URL(`http://[${address.replace(/%.*$/, "")}]`);
  const [left = [], tail] = hostname
    .slice(1, -1)
    .split("::")
    .map((side) => (side === "" ? [] : side.split(":")));
  if (tail === undefined) return left;
  const zeros = Array.from({ length: GROUPS - left.length - tail.length }, () => "0");
  return [...left, ...zeros, ...tail];
};

/** The IPv4 address in an IPv4-mapped IPv6 address (`::ffff:0:0/96`). */
const mappedOf = (groups: ReadonlyArray<string>): string | undefined => {
  if (groups.slice(0, 6).join(":") !== "0:0:0:0:0:ffff") return undefined;
  const [high = 0, low = 0] = groups.slice(6).map((group) => Number.parseInt(group, 16));
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
};
