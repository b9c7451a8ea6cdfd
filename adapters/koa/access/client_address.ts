import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";

import type { Context } from "koa";

/** Stands for an address that is none, which only a proxy can have passed on. All such clients share it. */
const UNKNOWN = "unknown";

/** Whether an address is of this machine itself. */
export const isLoopback = (address: string): boolean => {
  // Most addresses of this machine are spelt so.
  if (address === "127.0.0.1" || address === "::1" || address === "::ffff:127.0.0.1") return true;
  const family = isIP(address);
  if (family === 4) return address.startsWith("127.");
  if (family === 0) return false;
  const groups = groupsOf(address);
  return mappedOf(groups)?.startsWith("127.") ?? groups.join(":") === "0:0:0:0:0:0:0:1";
};

/**
 * What clients without a key are told apart by: their address as far as they cannot choose it, in one spelling. Whoever
 * has one IPv6 address has a network of them, and IPv4 comes as IPv6, too.
 */
export const addressOf = (ctx: Context): string => clientAddress(ctx.ip);

/**
 * The same of a request that koa has not seen, from the header that koa reads.
 *
 * @param proxies how many proxies stand before the service
 */
export const addressOfRequest = (request: IncomingMessage, proxies: number): string => {
  const forwarded = proxies > 0 ? request.headers["x-forwarded-for"] : undefined;
  const ips = forwarded === undefined ? [] : String(forwarded).split(",").slice(-proxies);
  return clientAddress(ips[0]?.trim() || (request.socket.remoteAddress ?? ""));
};

/** The address, or the network of an IPv6 address, that a client is known by. */
export const clientAddress = (ip: string): string => {
  const known = remembered.get(ip);
  if (known !== undefined) return known;
  if (remembered.size >= REMEMBERED_MAX) remembered.clear();
  const address = readAddress(ip);
  remembered.set(ip, address);
  return address;
};

/** Addresses that were read lately: the same few come with nearly every request, and reading one takes microseconds. */
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

/** Some proxies add the port, of which a client has many. */
const withoutPort = (address: string): string =>
  address.replace(/^(?:\[(.*)\]|([\d.]+))(?::\d+)?$/, "$1$2");

const GROUPS = 8;
const NETWORK_GROUPS = 4;

/** The eight groups of an IPv6 address, in hex without leading zeros. A zone is of this machine, not of the address. */
const groupsOf = (address: string): ReadonlyArray<string> => {
  const [left = [], tail] = address.replace(/%.*$/, "").split("::").map(readGroups);
  if (tail === undefined) return left;
  const zeros = Array.from({ length: GROUPS - left.length - tail.length }, () => "0");
  return [...left, ...zeros, ...tail];
};

/** Reads what stands on one side of `::`. The last two groups may be an IPv4 address. */
const readGroups = (text: string): ReadonlyArray<string> =>
  text
    .split(":")
    .filter((group) => group !== "")
    .flatMap((group) => {
      if (!group.includes(".")) return [Number.parseInt(group, 16)];
      const [a = 0, b = 0, c = 0, d = 0] = group.split(".").map(Number);
      return [a * 256 + b, c * 256 + d];
    })
    .map((group) => group.toString(16));

/** The IPv4 address that an IPv6 address stands for (`::ffff:0:0/96`), if it does. */
const mappedOf = (groups: ReadonlyArray<string>): string | undefined => {
  if (groups.slice(0, 6).join(":") !== "0:0:0:0:0:ffff") return undefined;
  const [high = 0, low = 0] = groups.slice(6).map((group) => Number.parseInt(group, 16));
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
};
