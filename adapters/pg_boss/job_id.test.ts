import { suite } from "uvu";
import * as assert from "uvu/assert";

import { isJobId, isRowOrJobId, newRowId, partId, PARTS_MAX, rowOf } from "./job_id.ts";

const test = suite("job ids");

test("a row id is a UUID of version 7 that contains its time and ends in three zeros", () => {
  const now = Date.UTC(2026, 10, 22);
  const id = newRowId(now);
  assert.ok(isRowOrJobId(id));
  assert.not.ok(isJobId(id), "it is several jobs, and none");
  assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{9}000$/);
  assert.is(Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16), now);
});

test("row ids are unique and sort by their time", () => {
  const ids = Array.from({ length: 10_000 }, () => newRowId(1_000));
  assert.is(new Set(ids).size, ids.length);
  assert.ok(newRowId(1_000) < newRowId(1_001));
});

test("every part has its own id, which leads back to its row", () => {
  const row = newRowId(Date.now());
  const ids = Array.from({ length: PARTS_MAX }, (_, i) => partId(row, i + 1));
  assert.is(new Set([row, ...ids]).size, PARTS_MAX + 1);
  ids.forEach((id, i) => {
    assert.ok(isJobId(id));
    assert.equal(rowOf(id), { rowId: row, part: i + 1 });
  });
  assert.equal(rowOf(row), { rowId: row, part: 0 });
});

test("a text that is not a UUID is not a job id", () => {
  for (const text of [
    "",
    "1",
    "01a20253-aa0c-79c1-b28a-b136a2df500",
    "g1a20253-aa0c-79c1-b28a-b136a2df5001",
  ]) {
    assert.not.ok(isJobId(text), text);
    assert.not.ok(isRowOrJobId(text), text);
  }
});

test.run();
