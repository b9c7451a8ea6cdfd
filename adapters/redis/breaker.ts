/** How long an open breaker waits before it probes again. */
export const PROBE_REST_MS = 500;

/** How long a closed one waits: what went away while nobody called it is known after so long. */
const IDLE_PROBE_MS = 5_000;

/** "ok", or why calls are skipped. */
export type BreakerState = "ok" | `away: ${string}`;

/**
 * Stands before something that may be away. The first call that fails opens it; from then on calls are
 * skipped without any waiting, until a probe in the background succeeds. While it is closed it probes now and then.
 */
export interface Breaker {
  /** What the call gives, or undefined when it failed or was skipped. */
  readonly call: <A>(run: () => Promise<A>) => Promise<A | undefined>;
  /** Probes now if it is open: it may be back. */
  readonly probe: () => void;
  readonly state: () => BreakerState;
  readonly close: () => void;
}

export interface BreakerOptions {
  /** Must do all that the calls do, or the breaker would close for a call to open it again. */
  readonly probe: () => Promise<unknown>;
  /** What went wrong, for people, without secrets. */
  readonly reasonOf: (error: unknown) => string;
  /** Is told when the breaker opens and closes, and not again when the reason changes. */
  readonly onChange: (state: BreakerState) => void;
  /** Tests have no time for the default. */
  readonly restMs?: number;
  readonly idleMs?: number;
}

/** A breaker that is open at first: nobody knows yet whether there is anything behind it. */
export const makeBreaker = ({
  probe,
  reasonOf,
  onChange,
  restMs = PROBE_REST_MS,
  idleMs = IDLE_PROBE_MS,
}: BreakerOptions): Breaker => {
  let reason: string | undefined = "connecting";
  let told: "ok" | "away" | undefined;
  let timer: NodeJS.Timeout | undefined;
  let probing = false;
  let closed = false;

  const probeIn = (ms: number): void => {
    clearTimeout(timer);
    timer = setTimeout(() => void tryAgain(), ms);
  };
  const open = (error: unknown): void => {
    if (closed) return;
    // Of many calls that fail at once the first one sets the time.
    if (reason === undefined || timer === undefined) probeIn(restMs);
    reason = reasonOf(error);
    if (told === "away") return;
    told = "away";
    onChange(`away: ${reason}`);
  };
  const close = (): void => {
    if (closed) return;
    reason = undefined;
    probeIn(idleMs);
    if (told === "ok") return;
    told = "ok";
    onChange("ok");
  };
  const tryAgain = async (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    if (probing || closed) return;
    probing = true;
    try {
      await probe();
      close();
    } catch (error) {
      open(error);
    } finally {
      probing = false;
    }
  };

  probeIn(restMs);
  return {
    call: async (run) => {
      if (reason !== undefined) return undefined;
      try {
        return await run();
      } catch (error) {
        open(error);
        return undefined;
      }
    },
    probe: () => {
      if (reason !== undefined) void tryAgain();
    },
    state: () => (reason === undefined ? "ok" : `away: ${reason}`),
    close: () => {
      closed = true;
      reason = "closed";
      clearTimeout(timer);
    },
  };
};
