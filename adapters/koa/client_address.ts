import type { IncomingMessage } from "node:http";

import type { Context } from "koa";

/** Whether an address is of this machine itself. */
export const isLoopback = (address: string): boolean =>
  address === "::1" || /^(?:::ffff:)?127\./.test(address);

/**
 * What clients without a key are told apart by: their address, as far as they cannot choose it. Whoever
 * has one IPv6 address has a network of them, and IPv4 comes in two forms.
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
const clientAddress = (ip: string): string => {
  const address = withoutPort(ip).replace(/^::ffff:/i, "");
  return address.includes(":") ? networkOf(address) : address;
};

/** Some proxies tell the port, too, of which a client has many. */
const withoutPort = (address: string): string =>
  address.replace(/^(?:\[(.*)\]|([\d.]+))(?::\d+)?$/, "$1$2");

/** The first 64 bits of an IPv6 address. */
const networkOf = (address: string): string => {
  const [head = "", tail] = address.replace(/%.*$/, "").split("::");
  const left = head.split(":").filter((group) => group !== "");
  const right = (tail ?? "").split(":").filter((group) => group !== "");
  const zeros = Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => "0");
  const groups = tail === undefined ? left : [...left, ...zeros, ...right];
  return `${groups.slice(0, 4).join(":")}::/64`;
};
