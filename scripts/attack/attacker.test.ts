import { suite } from "uvu";
import * as assert from "uvu/assert";

import { until } from "../testbed/until.ts";
import { startAttacker } from "./attacker.ts";
import { ATTACKS, MIX } from "./attacks/all.ts";
import { startStub } from "./stub.fixture.ts";
import { ATTACKER_ADDRESS } from "./wire.ts";

const test = suite("attacks");

const ARRIVES_WITHIN_MS = 20_000;

for (const { name } of ATTACKS) {
  test(`${name} comes from the attacker's address, and ends when it is stopped`, async () => {
    const stub = await startStub(() => ({ status: 202, body: '{"jobId":"1"}' }));
    const target = {
      host: "127.0.0.1",
      port: stub.port,
      key: "key",
      accountPrefix: "mallory-",
      whale: "mallory-whale",
      smallQuotaAccount: "mallory-small",
      share: 0.01,
    };
    const attacker = await startAttacker(name, target, 60);
    try {
      await until(
        `${name} arrives`,
        async () =>
          stub.addresses.has(ATTACKER_ADDRESS) &&
          (name === "connections" || stub.bytesReceived() > 0),
        ARRIVES_WITHIN_MS,
      );
    } finally {
      const { connections } = await attacker.stop();
      await stub.close();
      assert.ok(connections > 0);
    }
  });
}

test("an attacker ends by itself when its time is over", async () => {
  const stub = await startStub(() => ({ status: 200 }));
  const target = {
    host: "127.0.0.1",
    port: stub.port,
    key: "",
    accountPrefix: "",
    whale: "",
    smallQuotaAccount: "",
    share: 1,
  };
  const attacker = await startAttacker("readyz", target, 0.2);
  await attacker.ended;
  const { statuses } = await attacker.stop();
  await stub.close();
  assert.ok((statuses["200"] ?? 0) > 0);
});

test("a mix consists of known attacks, and names are unique", () => {
  const names = ATTACKS.map(({ name }) => name);
  assert.is(new Set([...names, MIX.name]).size, names.length + 1);
  for (const part of MIX.parts) assert.ok(names.includes(part), part);
});

test.run();
