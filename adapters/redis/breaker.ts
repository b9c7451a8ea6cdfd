/** How long an open breaker waits before it tries again, at first. */
export const REST_MIN_MS = 500;

/** How long it waits at most. Each time that it opens again without having worked in between it waits twice as long. */
const REST_MAX_MS = 8_000;

/** How long a closed one waits between probes: what went away while nobody called it is known after so long. */
const IDLE_PROBE_MS = 5_000;

/** "ok", or why calls are skipped. */
export type BreakerState = "ok" | `away: ${string}`;

/**
 * What a call does. A Redis may refuse one kind and answer another (rights of its user, scripts, channels), so only a call of
 * the kind that failed shows that it works again.
 */
export type CallKind = "read" | "write" | "publish" | "count" | "charge";

/**
 * Stands before something that may be away. While it is closed calls pass, until one of them or a probe fails. While it is open calls are
 * skipped without any wait. After a rest a probe runs in the background. If a probe was what failed last and it now succeeds, the breaker closes.
 * If a call was, the breaker becomes half-open: the next call of that kind is made, alone, and its outcome decides. When nobody makes one
 * for another rest, the breaker closes, and tells so only once such a call has succeeded. A closed breaker probes now and then.
 */
export interface Breaker {
  /** What the call gives, or undefined when it failed or was skipped. */
  readonly call: <A>(kind: CallKind, run: () => Promise<A>) => Promise<A | undefined>;
  /** Probes now if it is open: it may be back. */
  readonly probe: () => void;
  /** Away until it has closed: a half-open breaker has not. */
  readonly state: () => BreakerState;
  readonly close: () => void;
}

export interface BreakerOptions {
  readonly probe: () => Promise<unknown>;
  /** What went wrong, for people, without secrets. */
  readonly reasonOf: (error: unknown) => string;
  /** Called when the state turns to "ok" or to away, and not again when the reason changes. */
  readonly onChange: (state: BreakerState) => void;
  /** Tests have no time for the defaults. */
  readonly restMinMs?: number;
  readonly restMaxMs?: number;
  readonly idleMs?: number;
}

/** `failed` is the kind of call that opened it, undefined if a probe did. */
type Phase =
  | { readonly _tag: "Closed" }
  | { readonly _tag: "Open"; readonly failed: CallKind | undefined }
  | { readonly _tag: "HalfOpen"; readonly failed: CallKind; isTried: boolean };

/** A breaker that is open at first: nobody knows yet whether there is anything behind it. */
export const makeBreaker = ({
  probe,
  reasonOf,
  onChange,
  restMinMs = REST_MIN_MS,
  restMaxMs = REST_MAX_MS,
  idleMs = IDLE_PROBE_MS,
}: BreakerOptions): Breaker => {
  let phase: Phase = { _tag: "Open", failed: undefined };
  let reason = "connecting";
  let told: "ok" | "away" | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isProbing = false;
  let isOver = false;
  /** How long it rested when it was open last. */
  let restMs = restMinMs;
  let closedAt = Number.NEGATIVE_INFINITY;
  /** The kind of call that failed last and has not succeeded since. */
  let unproven: CallKind | undefined;

  const tryIn = (ms: number): void => {
    clearTimeout(timer);
    timer = setTimeout(() => void tryAgain(), ms);
  };

  const open = (error: unknown, failed: CallKind | undefined): void => {
    if (isOver) return;
    // It was mended before if it then worked for longer than it had rested.
    const worked =
      phase._tag === "Closed" && unproven === undefined && performance.now() - closedAt > restMs;
    restMs = worked || told === undefined ? restMinMs : Math.min(2 * restMs, restMaxMs);
    phase = { _tag: "Open", failed };
    unproven = failed;
    reason = reasonOf(error);
    tryIn(restMs);
    if (told === "away") return;
    told = "away";
    onChange(`away: ${reason}`);
  };

  const close = (): void => {
    if (isOver) return;
    if (phase._tag !== "Closed") closedAt = performance.now();
    phase = { _tag: "Closed" };
    tryIn(idleMs);
    tellOk();
  };

  const tellOk = (): void => {
    // A call that is made rarely, and fails each time, would be told twice each time.
    if (told === "ok" || unproven !== undefined) return;
    told = "ok";
    onChange("ok");
  };

  const tryAgain = async (): Promise<void> => {
    if (isOver) return;
    tryIn(restMinMs);
    // The outcome of the call that is being tried decides.
    if (isProbing || (phase._tag === "HalfOpen" && phase.isTried)) return;
    isProbing = true;
    const before = phase;
    try {
      await probe();
      // A call that failed or was tried meanwhile says more.
      if (phase !== before || (before._tag === "HalfOpen" && before.isTried)) return;
      if (before._tag === "Open" && before.failed !== undefined) {
        phase = { _tag: "HalfOpen", failed: before.failed, isTried: false };
        tryIn(restMs);
      } else close();
    } catch (error) {
      if (phase === before) open(error, undefined);
    } finally {
      isProbing = false;
    }
  };

  tryIn(restMinMs);
  return {
    call: async (kind, run) => {
      const before = phase;
      if (before._tag === "HalfOpen" && before.failed === kind && !before.isTried) {
        before.isTried = true;
      } else if (before._tag !== "Closed") return undefined;
      try {
        const answer = await run();
        if (unproven === kind) unproven = undefined;
        if (phase !== before) return answer;
        if (before._tag === "HalfOpen") close();
        else tellOk();
        return answer;
      } catch (error) {
        // Of calls that fail together the first one decides.
        if (phase === before) open(error, kind);
        return undefined;
      }
    },
    probe: () => {
      if (phase._tag === "Open") void tryAgain();
    },
    state: () => (phase._tag === "Closed" && !isOver ? "ok" : `away: ${reason}`),
    close: () => {
      isOver = true;
      phase = { _tag: "Open", failed: undefined };
      reason = "closed";
      clearTimeout(timer);
    },
  };
};
