/** How long a breaker that has opened waits before it probes. */
export const BACKOFF_MIN_MS = 500;

/** The backoff doubles up to this each time the breaker reopens without having recovered. */
const BACKOFF_MAX_MS = 8_000;

/** How often a closed breaker probes, so that an idle process notices a failure, too. */
const PROBE_INTERVAL_MS = 5_000;

/** "ok", or why calls are skipped. */
export type BreakerState = "ok" | `unavailable: ${string}`;

/**
 * What a call does. Redis can refuse one kind and serve another (depending on its user's rights to
 * commands, scripts and channels), so only a call of the kind that failed shows that it works.
 */
export type CallKind = "read" | "write" | "publish" | "count" | "charge";

/**
 * A circuit breaker. While it is closed, calls pass until one of them or a probe fails. While it is
 * open, calls are skipped without waiting. After a backoff, a probe runs in the background. If a
 * probe was the last to fail and the next one succeeds, the breaker closes. If a call was, the
 * breaker becomes half-open: the next call of that kind is made, alone, as a trial, and its outcome
 * decides. If no such call comes within another backoff, the breaker closes anyway, but reports
 * that only after one has succeeded.
 *
 * Effect's CircuitBreaker has no probe in the background: at each half-open a client's call would
 * wait for a Redis that hangs.
 */
export interface Breaker {
  /** Returns the result of the call, or undefined if it failed or was skipped. */
  readonly call: <A>(kind: CallKind, run: () => Promise<A>) => Promise<A | undefined>;
  /** Probes now if the breaker is open, because the dependency may be available again. */
  readonly probe: () => void;
  /** "ok" only while closed; a half-open breaker is still unavailable. */
  readonly state: () => BreakerState;
  /** Skips all calls from now on, and stops probing. */
  readonly stop: () => void;
}

export interface BreakerOptions {
  readonly probe: () => Promise<unknown>;
  /** Describes an error to people, without secrets. */
  readonly reasonOf: (error: unknown) => string;
  /** Called when the state changes to "ok" or unavailable, not when only the reason changes. */
  readonly onChange: (state: BreakerState) => void;
  /** Shorter in tests. */
  readonly backoffMinMs?: number;
  readonly backoffMaxMs?: number;
  readonly probeIntervalMs?: number;
}

/** A new object for each change, so that a call can tell whether its phase has ended. */
type Phase =
  | { readonly _tag: "Closed" }
  /** `failed` is the kind of call that opened it, undefined if a probe did. */
  | { readonly _tag: "Open"; readonly failed: CallKind | undefined }
  | { readonly _tag: "HalfOpen"; readonly failed: CallKind; readonly isTrialRunning: boolean }
  | { readonly _tag: "Stopped" };

/** Creates a breaker that is open until the first probe shows that there is something to call. */
export const makeBreaker = ({
  probe,
  reasonOf,
  onChange,
  backoffMinMs = BACKOFF_MIN_MS,
  backoffMaxMs = BACKOFF_MAX_MS,
  probeIntervalMs = PROBE_INTERVAL_MS,
}: BreakerOptions): Breaker => {
  let phase: Phase = { _tag: "Open", failed: undefined };
  let reason = "connecting";
  let isReportedOk: boolean | undefined;
  let timer: NodeJS.Timeout | undefined;
  /** The backoff when it was last open. */
  let backoffMs = backoffMinMs;
  let closedAt = Number.NEGATIVE_INFINITY;
  /** The kind of call that failed last and has not succeeded since. */
  let unproven: CallKind | undefined;

  const probeIn = (ms: number): void => {
    clearTimeout(timer);
    timer = setTimeout(() => void runProbe(), ms);
  };

  const report = (state: BreakerState): void => {
    if (isReportedOk === (state === "ok")) return;
    isReportedOk = state === "ok";
    onChange(state);
  };

  /** A kind of call that is rare and always fails would otherwise be reported twice each time. */
  const reportOkIfProven = (): void => {
    if (unproven === undefined) report("ok");
  };

  const open = (error: unknown, failed: CallKind | undefined): void => {
    // It had recovered if it worked for longer than its last backoff.
    const hadRecovered =
      phase._tag === "Closed" && unproven === undefined && performance.now() - closedAt > backoffMs;
    const startsAnew = hadRecovered || isReportedOk === undefined;
    backoffMs = startsAnew ? backoffMinMs : Math.min(2 * backoffMs, backoffMaxMs);
    phase = { _tag: "Open", failed };
    unproven = failed;
    reason = reasonOf(error);
    probeIn(backoffMs);
    report(`unavailable: ${reason}`);
  };

  const close = (): void => {
    if (phase._tag !== "Closed") closedAt = performance.now();
    phase = { _tag: "Closed" };
    probeIn(probeIntervalMs);
    reportOkIfProven();
  };

  const runProbe = async (): Promise<void> => {
    probeIn(backoffMinMs);
    const before = phase;
    if (before._tag === "HalfOpen" && before.isTrialRunning) return;
    try {
      await probe();
      // A call that has failed or begun a trial since then says more.
      if (phase !== before) return;
      if (before._tag === "Open" && before.failed !== undefined) {
        phase = { _tag: "HalfOpen", failed: before.failed, isTrialRunning: false };
        probeIn(backoffMs);
      } else close();
    } catch (error) {
      if (phase === before) open(error, undefined);
    }
  };

  probeIn(backoffMinMs);
  return {
    call: async (kind, run) => {
      if (phase._tag === "HalfOpen" && phase.failed === kind && !phase.isTrialRunning) {
        phase = { ...phase, isTrialRunning: true };
      } else if (phase._tag !== "Closed") return undefined;
      const before = phase;
      try {
        const answer = await run();
        if (unproven === kind) unproven = undefined;
        if (phase !== before) return answer;
        if (before._tag === "HalfOpen") close();
        else reportOkIfProven();
        return answer;
      } catch (error) {
        // Of calls that fail together, the first one decides.
        if (phase === before) open(error, kind);
        return undefined;
      }
    },
    probe: () => {
      if (phase._tag === "Open") void runProbe();
    },
    state: () => (phase._tag === "Closed" ? "ok" : `unavailable: ${reason}`),
    stop: () => {
      phase = { _tag: "Stopped" };
      reason = "stopped";
      clearTimeout(timer);
    },
  };
};
