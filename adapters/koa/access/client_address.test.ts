import { isIPv6 } from "node:net";

import * as fc from "fast-check";
import type { Context } from "koa";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { addressOf, isLoopback } from "./client_address.ts";

const test = suite("client addresses");

const addressFrom = (ip: string): string => addressOf({ ip } as Context);

test("an IPv4 address is one client in every spelling", () => {
  for (const ip of [
    "203.0.113.9",
    "203.0.113.9:4711",
    "::ffff:203.0.113.9",
    "::FFFF:203.0.113.9",
    "::ffff:cb00:7109",
    "0:0:0:0:0:ffff:203.0.113.9",
    "0000:0000:0000:0000:0000:ffff:cb00:7109",
    "[::ffff:cb00:7109]:4711",
  ]) {
    assert.is(addressFrom(ip), "203.0.113.9", ip);
  }
});

test("an IPv6 network is one client in every spelling", () => {
  for (const ip of [
    "2001:db8::1",
    "2001:DB8::1",
    "2001:0db8:0:0::1",
    "2001:db8:0:0:1:2:3:4",
    "2001:0db8:0000:0000:0000:0000:0000:0001",
    "2001:db8::192.0.2.1",
    "[2001:DB8::7]:4711",
    "2001:db8::1%eth0",
  ]) {
    assert.is(addressFrom(ip), "2001:db8:0:0::/64", ip);
  }
  assert.is(addressFrom("fe80::1%eth0"), addressFrom("FE80:0::2"));
  assert.is.not(addressFrom("2001:db8:0:1::1"), addressFrom("2001:db8::1"));
});

test("every spelling of any address is the same client", () => {
  const group = fc.nat(0xffff);
  fc.assert(
    fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), fc.nat(6), (groups, from) => {
      const hex = groups.map((each) => each.toString(16));
      const padded = hex.map((each) => each.padStart(4, "0").toUpperCase());
      assert.is(addressFrom(padded.join(":")), addressFrom(hex.join(":")));
      // `::` stands for two zero groups anywhere.
      const zeroed = hex.map((each, i) => (i === from || i === from + 1 ? "0" : each));
      const short = `${zeroed.slice(0, from).join(":")}::${zeroed.slice(from + 2).join(":")}`;
      assert.ok(isIPv6(short), short);
      assert.is(addressFrom(short), addressFrom(zeroed.join(":")), short);
    }),
  );
});

test("everything that is not an address is one client, with a short name", () => {
  for (const ip of [
    "",
    "unknown",
    "_hidden",
    "203.0.113",
    "1.2.3.4.5",
    "x".repeat(10_000),
    "::g",
  ]) {
    assert.is(addressFrom(ip), "unknown", ip.slice(0, 20));
  }
});

test("isLoopback recognises exactly the addresses of this machine, in every spelling", () => {
  for (const address of [
    "127.0.0.1",
    "127.255.0.1",
    "::1",
    "0:0:0:0:0:0:0:1",
    "::ffff:127.0.0.1",
    "::FFFF:127.0.0.2",
    "::ffff:7f00:1",
  ]) {
    assert.ok(isLoopback(address), address);
  }
  for (const address of [
    "",
    "127.evil",
    "127.0.0.1.example.com",
    "128.0.0.1",
    "::2",
    "::7f00:1",
    "1::ffff:127.0.0.1",
    "::ffff:8f00:1",
    "localhost",
  ]) {
    assert.not.ok(isLoopback(address), address);
  }
});

test.run();
