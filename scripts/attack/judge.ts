import type { SampleFigures } from "./samples.ts";
import type { ProcessFigures } from "./service.ts";

/** What every other client can rely on, whatever one client does. */
export interface Promises {
  /** The 95th percentile of posts with one event, and of uncached summaries. */
  readonly postP95MaxMs: number;
  readonly readP95MaxMs: number;
  /** The slowest answer of `/healthz`. */
  readonly healthzMaxMs: number;
  /** The time from the revocation of a key until it is refused. */
  readonly revokedWithinMs: number;
  /** How much slower the 95th percentiles may be one second after the attack than before it. */
  readonly afterFactorMax: number;
  readonly afterMoreMaxMs: number;
}

export const PROMISES: Promises = {
  postP95MaxMs: 500,
  readP95MaxMs: 500,
  healthzMaxMs: 250,
  revokedWithinMs: 5_000,
  afterFactorMax: 2,
  afterMoreMaxMs: 100,
};

/** The promises on a slower machine: only times are relaxed, never answers or memory. */
export const slower = (promises: Promises, factor: number): Promises => ({
  postP95MaxMs: promises.postP95MaxMs * factor,
  readP95MaxMs: promises.readP95MaxMs * factor,
  healthzMaxMs: promises.healthzMaxMs * factor,
  revokedWithinMs: promises.revokedWithinMs * factor,
  afterFactorMax: promises.afterFactorMax * factor,
  afterMoreMaxMs: promises.afterMoreMaxMs * factor,
});

/** The figures of one kind of request before an attack, during it, and from one second after it. */
export interface Phases {
  readonly before: SampleFigures;
  readonly during: SampleFigures;
  readonly after: SampleFigures;
}

/** What honest clients saw of an attack. */
export interface AttackFigures {
  readonly posts: Phases;
  readonly reads: Phases;
  readonly readyz: Phases;
  readonly healthz: Phases;
  /** The time from the revocation of a key until it was refused; undefined if it never was. */
  readonly revokedAfterMs: number | undefined;
  readonly processes: ReadonlyArray<ProcessFigures>;
  /** Accounts that do not count exactly what was accepted, each as a sentence. */
  readonly miscounted: ReadonlyArray<string>;
}

/**
 * Why the times of an attack cannot be judged: the service was slow before it, for another reason such as a busy machine.
 * Empty if they can be judged.
 */
export const tooBusy = ({ posts, reads, healthz }: AttackFigures, promises: Promises): string[] =>
  (
    [
      ["posts: p95", posts.before.p95Ms, promises.postP95MaxMs],
      ["summaries: p95", reads.before.p95Ms, promises.readP95MaxMs],
      ["/healthz: slowest", healthz.before.maxMs, promises.healthzMaxMs],
    ] as const
  ).flatMap(([what, took, most]) =>
    took > most * BUSY_SHARE ? [`${what} ${ms(took)} before the attack`] : [],
  );

/** If more than this share of a promised time is used before an attack, the attack cannot be judged. */
const BUSY_SHARE = 0.5;

/** The promises that an attack broke, as sentences. */
export const judge = (figures: AttackFigures, promises: Promises): ReadonlyArray<string> => {
  const { posts, reads, readyz, healthz, revokedAfterMs, processes, miscounted } = figures;
  const timesCount = tooBusy(figures, promises).length === 0;
  return [
    ...processes.flatMap(({ name, died }) => (died === undefined ? [] : [`${name} ${died}`])),
    ...processes.flatMap(({ name, residentMib = 0, residentMaxMib }) =>
      residentMib > residentMaxMib
        ? [`${name} used ${Math.round(residentMib)} MiB of memory, more than ${residentMaxMib}`]
        : [],
    ),
    ...judgeAnswers("posts", posts),
    ...judgeAnswers("summaries", reads),
    ...judgeAnswers("/readyz", readyz),
    ...judgeAnswers("/healthz", healthz),
    ...(timesCount
      ? [
          ...judgeTimes("posts", posts, promises.postP95MaxMs, promises),
          ...judgeTimes("summaries", reads, promises.readP95MaxMs, promises),
          ...judgeSlowest("/healthz", healthz.during, promises.healthzMaxMs),
        ]
      : []),
    ...judgeRevoked(revokedAfterMs, promises.revokedWithinMs),
    ...miscounted,
  ];
};

const judgeTimes = (
  what: string,
  phases: Phases,
  p95MaxMs: number,
  { afterFactorMax, afterMoreMaxMs }: Promises,
): ReadonlyArray<string> => {
  const { before, during, after } = phases;
  const afterMaxMs = Math.max(before.p95Ms * afterFactorMax, before.p95Ms + afterMoreMaxMs);
  return [
    // Written so that NaN, when nothing was measured, fails.
    ...(during.p95Ms <= p95MaxMs
      ? []
      : [`${what}: p95 ${ms(during.p95Ms)}, more than ${ms(p95MaxMs)}`]),
    ...(after.p95Ms <= afterMaxMs
      ? []
      : [
          `${what}: p95 ${ms(after.p95Ms)} one second after the attack, ${ms(before.p95Ms)} before it`,
        ]),
  ];
};

const judgeAnswers = (what: string, phases: Phases): ReadonlyArray<string> =>
  (["before", "during", "after"] as const).flatMap((phase) => {
    const { sent, ok, others } = phases[phase];
    if (sent > 0 && ok === sent) return [];
    const seen = Object.entries(others).map(([answer, count]) => `${answer} × ${count}`);
    return [`${what} ${phase}: ${sent - ok} of ${sent} failed (${seen.join(", ")})`];
  });

const judgeSlowest = (
  what: string,
  { maxMs }: SampleFigures,
  mostMs: number,
): ReadonlyArray<string> =>
  maxMs <= mostMs ? [] : [`${what}: slowest ${ms(maxMs)}, more than ${ms(mostMs)}`];

const judgeRevoked = (afterMs: number | undefined, withinMs: number): ReadonlyArray<string> => {
  if (afterMs === undefined) return ["a revoked key was never refused"];
  return afterMs <= withinMs
    ? []
    : [`a revoked key was refused after ${ms(afterMs)}, later than ${ms(withinMs)}`];
};

const ms = (value: number): string => `${Math.round(value)} ms`;
