import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import type { SentEvent } from "../shared/activity.ts";
import { type Ledger, openLedger } from "./ledger.ts";

interface Context {
  folder: string;
  path: string;
  ledger: Ledger;
}

const test = suite<Context>("ledger");

test.before.each(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), "tidemark-ledger-"));
  context.path = join(context.folder, "ledger.jsonl");
  context.ledger = await openLedger(context.path);
});
test.after.each(async ({ folder, ledger }) => {
  await ledger.close();
  await rm(folder, { recursive: true });
});

const event = (id: string, account = "acme"): SentEvent => ({
  event_id: id,
  account_id: account,
  user_id: "ada",
  type: "login",
  timestamp: "2026-01-01T00:00:00.000Z",
  metadata: { n: 1 },
});

test("an event counts once, however often it is sent and accepted", async ({ ledger }) => {
  ledger.sending([event("1"), event("2")]);
  ledger.sending([event("2"), event("3"), event("1", "other")]);
  assert.is(ledger.acceptedCount(), 0);
  await Promise.all([ledger.accepted([event("1")]), ledger.accepted([event("1"), event("2")])]);
  assert.is(ledger.acceptedCount(), 2);
  assert.equal([ledger.sentTo("acme"), ledger.sentTo("other"), ledger.sentTo("none")], [3, 1, 0]);
  assert.equal(
    [...ledger.sent].map(([id, { accepted }]) => [id, accepted]),
    [
      ["acme\n1", true],
      ["acme\n2", true],
      ["acme\n3", false],
      ["other\n1", false],
    ],
  );
});

test("an accepted event is on disk before accepted() returns", async ({ ledger, path }) => {
  const batches = Array.from({ length: 50 }, (_, i) => [event(`${i}`)]);
  for (const batch of batches) ledger.sending(batch);
  await Promise.all(
    batches.map(async (batch) => {
      await ledger.accepted(batch);
      assert.match(await readFile(path, "utf8"), `[["acme","${batch[0]?.event_id}"]]\n`);
    }),
  );
});

test.run();
