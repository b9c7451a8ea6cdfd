import type { SampleFigures } from "./samples.ts";
import type { ProcessFigures } from "./service.ts";

/** What every other client of the service may count on, whatever one of them does. */
export interface Promises {
  /** The 95th percentile of one-event posts, and of summaries that no cache has. */
  readonly postP95MaxMs: number;
  readonly readP95MaxMs: number;
  /** The slowest answer of `/healthz`. */
  readonly healthzMaxMs: number;
  /** From the revocation of a key until it is refused. */
  readonly revokedWithinMs: number;
  /** How much slower than before the attack the 95th percentiles may be from a second after it. */
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

/** The promises of a machine that is so many times slower: only times give way, never what is answered. */
export const slower = (promises: Promises, factor: number): Promises => ({
  postP95MaxMs: promises.postP95MaxMs * factor,
  readP95MaxMs: promises.readP95MaxMs * factor,
  healthzMaxMs: promises.healthzMaxMs * factor,
  revokedWithinMs: promises.revokedWithinMs * factor,
  afterFactorMax: promises.afterFactorMax * factor,
  afterMoreMaxMs: promises.afterMoreMaxMs * factor,
});

/** What a kind of request met before an attack, while it went on, and from a second after it. */
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
  /** From the revocation of a key until it was refused; undefined if it never was. */
  readonly revokedAfterMs: number | undefined;
  readonly processes: ReadonlyArray<ProcessFigures>;
  /** Accounts that do not count exactly what was accepted. */
  readonly miscounted: ReadonlyArray<string>;
}

/**
 * Why the times of an attack say nothing: what is slow before anybody attacks is slow for another reason, such as a
 * machine that others use. Empty if they can be judged.
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

/** Past this share of what a promise allows there is no room left for an attack to be judged in. */
const BUSY_SHARE = 0.5;

/** Every promise that an attack broke, as sentences; empty if it broke none. */
export const judge = (figures: AttackFigures, promises: Promises): ReadonlyArray<string> => {
  const { posts, reads, readyz, healthz, revokedAfterMs, processes, miscounted } = figures;
  const timesCount = tooBusy(figures, promises).length === 0;
  return [
    ...processes.flatMap(({ name, died }) => (died === undefined ? [] : [`${name} ${died}`])),
    ...processes.flatMap(({ name, residentMib = 0, residentMaxMib }) =>
      residentMib > residentMaxMib
        ? [`${name} had ${Math.round(residentMib)} MiB resident, more than ${residentMaxMib}`]
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
    // The comparison is the other way round than it reads, so that NaN, of nothing measured, is no success.
    ...(during.p95Ms <= p95MaxMs
      ? []
      : [`${what}: p95 ${ms(during.p95Ms)}, more than ${ms(p95MaxMs)}`]),
    ...(after.p95Ms <= afterMaxMs
      ? []
      : [
          `${what}: a second after the attack p95 ${ms(after.p95Ms)}, before it ${ms(before.p95Ms)}`,
        ]),
  ];
};

const judgeAnswers = (what: string, phases: Phases): ReadonlyArray<string> =>
  (["before", "during", "after"] as const).flatMap((phase) => {
    const { sent, ok, others } = phases[phase];
    if (sent > 0 && ok === sent) return [];
    const seen = Object.entries(others).map(([answer, count]) => `${answer} × ${count}`);
    return [`${what} ${phase}: ${sent - ok} of ${sent} not as promised (${seen.join(", ")})`];
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
