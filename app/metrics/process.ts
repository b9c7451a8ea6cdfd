import { readFileSync } from "node:fs";
import {
  constants,
  monitorEventLoopDelay,
  performance,
  PerformanceObserver,
} from "node:perf_hooks";

import { Effect, type Scope } from "effect";

import type { Meters } from "./meters.ts";

const PACKAGE = new URL("../../package.json", import.meta.url);

/** The version of this build. */
export const VERSION: string = (
  JSON.parse(readFileSync(PACKAGE, "utf8")) as { readonly version: string }
).version;

/**
 * How often the event loop is probed, in milliseconds. A probe that is late by less counts as on
 * time.
 */
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
 * Watches this process until the scope closes; returns a function that adds its figures to a
 * scrape. The names are those that dashboards for Node use.
 */
export const watchProcess = (
  meters: Meters["Service"],
): Effect.Effect<(now: Meters["Service"]) => void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const delay = monitorEventLoopDelay({ resolution: PROBE_MS });
    const durations = meters.histogram(
      "nodejs_gc_duration_seconds",
      "Time of garbage collections, by kind.",
      [0.001, 0.01, 0.1, 1],
    );
    const collections = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        const { detail, duration } = entry as Collection;
        const kind = GC_KINDS[detail.kind] ?? "other";
        durations({ kind })(duration / 1_000);
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
      const set = (name: string, ns: number): void =>
        now.gauge(
          `nodejs_eventloop_lag_${name}_seconds`,
          "Event loop delay since the last scrape.",
        )()(seconds(ns));
      // All are 0 without a probe since the last scrape, because a metric must not come and go.
      set("p50", delay.percentile(50));
      set("p99", delay.percentile(99));
      set("max", delay.max);
      delay.reset();
      addUsage(now);
    };
  });

const addUsage = ({ counter, gauge }: Meters["Service"]): void => {
  const { rss, heapUsed, heapTotal, external } = process.memoryUsage();
  gauge("process_resident_memory_bytes", "Resident memory.")()(rss);
  gauge("nodejs_heap_size_used_bytes", "Used JavaScript heap.")()(heapUsed);
  gauge("nodejs_heap_size_total_bytes", "Allocated JavaScript heap.")()(heapTotal);
  gauge("nodejs_external_memory_bytes", "Memory outside of the heap, such as buffers.")()(external);

  const { user, system } = process.cpuUsage();
  counter("process_cpu_user_seconds_total", "User CPU time.")()(user / 1e6);
  counter("process_cpu_system_seconds_total", "System CPU time.")()(system / 1e6);
  const { active } = performance.eventLoopUtilization();
  counter("nodejs_eventloop_active_seconds_total", "Time the event loop was busy.")()(
    active / 1_000,
  );
  gauge(
    "process_start_time_seconds",
    "Start time of the process, in seconds since the Unix epoch.",
  )()(performance.timeOrigin / 1_000);
  gauge(
    "tidemark_build_info",
    "Always 1; the labels name the build and the Node version.",
  )({
    version: VERSION,
    node: process.versions.node,
  })(1);
};
