import { Effect } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { makeMeters } from "./meters.ts";
import { watchProcess } from "./process.ts";

const test = suite("the process's own metrics");

const valueOf = (text: string, name: string): number => {
  const line = text.split("\n").find((each) => each.startsWith(`${name} `));
  assert.ok(line, `${name} is missing in\n${text}`);
  return Number(line.split(" ")[1]);
};

test("a blocked event loop shows in one scrape, and not in the next", async () => {
  const [held, rested] = await Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const meters = makeMeters();
        const tell = yield* watchProcess(meters);
        const text = (): string => {
          const now = makeMeters();
          tell(now);
          return now.text();
        };
        // The probe does not see what happens before its first tick.
        yield* Effect.sleep(50);
        const until = performance.now() + 200;
        while (performance.now() < until);
        yield* Effect.sleep(50);
        const first = text();
        yield* Effect.sleep(100);
        return [first, text()] as const;
      }),
    ),
  );
  const longest = valueOf(held, "nodejs_eventloop_lag_max_seconds");
  assert.ok(longest > 0.15 && longest < 2, `${longest} s`);
  assert.ok(valueOf(rested, "nodejs_eventloop_lag_max_seconds") < longest);
  assert.ok(valueOf(held, "nodejs_eventloop_lag_p50_seconds") < longest);
});

test("memory, CPU time and the build are reported", async () => {
  const text = await Effect.runPromise(
    Effect.scoped(
      Effect.map(watchProcess(makeMeters()), (tell) => {
        const now = makeMeters();
        tell(now);
        return now.text();
      }),
    ),
  );
  assert.ok(valueOf(text, "process_resident_memory_bytes") > 1e7);
  assert.ok(valueOf(text, "nodejs_heap_size_used_bytes") > 1e6);
  assert.ok(valueOf(text, "process_cpu_user_seconds_total") > 0);
  const age = Date.now() / 1_000 - valueOf(text, "process_start_time_seconds");
  assert.ok(age > 0 && age < 3_600);
  assert.match(text, /^tidemark_build_info\{version="\d+\.\d+\.\d+",node="\d+\.\d+\.\d+"\} 1$/m);
});

test.run();
