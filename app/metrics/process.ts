import {
  constants,
  monitorEventLoopDelay,
  performance,
  PerformanceObserver,
} from "node:perf_hooks";

import { Effect, type Scope } from "effect";

import { GC_DURATION } from "./families.ts";
import type { Meters } from "./meters.ts";
import { VERSION } from "./version.ts";

/** How often the event loop is probed, in milliseconds; a probe that comes this late is not late. */
const PROBE_MS = 10;

const GC_KINDS: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: "minor",
  [constants.NODE_PERFORMANCE_GC_MAJOR]: "major",
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: "incremental",
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: "weakcb",
};

/** An entry of type "gc", which Node's types do not know. */
interface Collection extends PerformanceEntry {
  readonly detail: { readonly kind: number };
}

/**
 * Watches this process until the scope closes; returns what tells how it is. The names are those by which
 * dashboards for Node know these figures.
 */
export const watchProcess = (
  meters: Meters,
): Effect.Effect<(now: Meters) => void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const delay = monitorEventLoopDelay({ resolution: PROBE_MS });
    const collections = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        const { detail, duration } = entry as Collection;
        const kind = GC_KINDS[detail.kind] ?? "other";
        meters.histogram(GC_DURATION, { kind })(duration / 1_000);
      }
    });
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        delay.enable();
        collections.observe({ entryTypes: ["gc"] });
      }),
      () =>
        Effect.sync(() => {
          delay.disable();
          collections.disconnect();
        }),
    );
    return (now) => {
      const seconds = (ns: number): number => Math.max(0, ns / 1e9 - PROBE_MS / 1_000);
      const help = "Delay of the event loop since the metrics were last asked for";
      const set = (name: string, ns: number): void => {
        now.gauge({ name: `nodejs_eventloop_lag_${name}_seconds`, help })(seconds(ns));
      };
      // Without a probe since the last time all of them are 0: a metric must not come and go.
      set("p50", delay.percentile(50));
      set("p99", delay.percentile(99));
      set("max", delay.max);
      delay.reset();
      tellUse(now);
    };
  });

const tellUse = (now: Meters): void => {
  const gauge = (name: string, help: string, value: number): void => {
    now.gauge({ name, help })(value);
  };
  const counter = (name: string, help: string, value: number): void => {
    now.counter({ name, help })(value);
  };
  const memory = process.memoryUsage();
  gauge("process_resident_memory_bytes", "Memory that the process holds", memory.rss);
  gauge("nodejs_heap_size_used_bytes", "JavaScript objects", memory.heapUsed);
  gauge("nodejs_heap_size_total_bytes", "The heap that they are in", memory.heapTotal);
  gauge("nodejs_external_memory_bytes", "Buffers and the like", memory.external);

  const { user, system } = process.cpuUsage();
  counter("process_cpu_user_seconds_total", "Processor time of the process", user / 1e6);
  counter("process_cpu_system_seconds_total", "Of the kernel on its behalf", system / 1e6);
  counter(
    "nodejs_eventloop_active_seconds_total",
    "Time in which the event loop did not wait for something to do",
    performance.eventLoopUtilization().active / 1_000,
  );
  gauge("process_start_time_seconds", "Since the Unix epoch", performance.timeOrigin / 1_000);
  now.gauge(
    { name: "tidemark_build_info", help: "1; the labels say what runs" },
    { version: VERSION, node: process.versions.node },
  )(1);
};
