import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { repeatedKey } from "./repeated_key.ts";

const test = suite("repeatedKey");

test("JSON written from a value repeats no key", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(undefined, 1, "\t"), (value, indent) => {
      assert.is(repeatedKey(JSON.stringify(value, undefined, indent)), undefined);
    }),
    { numRuns: 1_000 },
  );
});

test("the first repeated key is named by its path", () => {
  for (const [text, path] of [
    ['{"a":1,"a":1}', "a"],
    ['{"a":1,"\\u0061":1}', "a"],
    ['{"":1,"":1}', ""],
    ['{"a":{"a":"a"},"b":["a","a",{"a":1}],"a":1}', "a"],
    ['{"a":[{},[1,{"b":1,"c":[],"b":2}]],"a":1}', "a[1][1].b"],
    ['[{"a":1},{"a":1,"a":1}]', "[1].a"],
    ['{ "a\\"}" : 1 ,\n"b":"\\\\", "a\\"}":1}', 'a"}'],
    ['{"__proto__":1,"__proto__":2}', "__proto__"],
    ['{"a":{"b":{},"b":{}}}', "a.b"],
  ] as const) {
    assert.is(repeatedKey(text), path, text);
  }
  for (const text of ['"a"', "1", "[]", '["a","a"]', '[{"a":1},{"a":1}]', '{"a":{"b":1},"b":{}}']) {
    assert.is(repeatedKey(text), undefined, text);
  }
});

test("any repeated member is found", () => {
  const key = fc.constantFrom("a", "b", "c", "", "{", '"', ",", ":", "\\");
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom("a", "b", { a: ["a", { b: 1 }] }),
  );
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.tuple(key, value), { minLength: 1, selector: ([name]) => name }),
      fc.nat(),
      fc.array(fc.boolean(), { maxLength: 5 }),
      (members, which, wrappers) => {
        const [again] = members[which % members.length] ?? [""];
        const all = [...members, [again, 0] as const];
        let text = `{${all.map(([name, of]) => `${JSON.stringify(name)}:${JSON.stringify(of)}`).join()}}`;
        let path = "";
        for (const isArray of wrappers) {
          text = isArray ? `[{"a":0},${text}]` : `{"x":{"a":0},"y":${text}}`;
          path = (isArray ? "[1]" : ".y") + path;
        }
        assert.is(repeatedKey(text), `${path}.${again}`.replace(/^\./, ""), text);
      },
    ),
    { numRuns: 500 },
  );
});

test("nesting and texts may be as large as a body", () => {
  const deep = `${'{"a":'.repeat(200_000)}{"b":1,"b":1}${"}".repeat(200_000)}`;
  assert.ok(repeatedKey(deep)?.endsWith(".a.b"));
  const escapes = '\\"'.repeat(500_000);
  assert.is(repeatedKey(`{"a":"${escapes}","a":1}`), "a");
});

test.run();
