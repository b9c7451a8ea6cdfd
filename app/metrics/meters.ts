import { Context, Metric } from "effect";
import { PrometheusMetrics } from "effect/observability";

/** What is measured, under one name; a value of each label makes a series of it. */
export interface Family {
  /** With its unit last, and `_total` behind it if it only grows. */
  readonly name: string;
  readonly help: string;
}

/** Something whose distribution is told, by how many values were at most each bound. */
export interface Distribution extends Family {
  /** In ascending order; one without an end is added. */
  readonly bounds: ReadonlyArray<number>;
}

export type Labels = Readonly<Record<string, string>>;

/** Adds to a counter: 1 unless told. */
export type Count = (by?: number) => void;
/** Takes a value into a distribution, as if it had been seen `times` times: once unless told. */
export type Observe = (value: number, times?: number) => void;
export type Set = (value: number) => void;

/**
 * Where a process keeps what it counts. A series is made once and then is a function that adds to plain
 * numbers, so that the hottest code of the service can afford it; text is made when somebody asks for it.
 * A series is there, with zeros, as soon as it was made: asking for it again gives the same one.
 */
export interface Meters {
  readonly counter: (family: Family, labels?: Labels) => Count;
  readonly histogram: (family: Distribution, labels?: Labels) => Observe;
  readonly gauge: (family: Family, labels?: Labels) => Set;
  /** All series in the text format of Prometheus. */
  readonly text: () => string;
}

export const makeMeters = (): Meters => {
  const context = Context.make(Metric.MetricRegistry, new Map());
  const made = new Map<string, unknown>();
  const once = <A>({ name }: Family, labels: Labels, make: () => A): A => {
    const key = `${name} ${JSON.stringify(labels)}`;
    const known = made.get(key) as A | undefined;
    if (known !== undefined) return known;
    const series = make();
    made.set(key, series);
    return series;
  };

  // Effect's own histograms take one value at a time, and count in 32 bits: a busy bucket overflows within days.
  // So the numbers are kept here, and Effect tells them.
  const register = <Input, State>(metric: Metric.Metric<Input, State>, get: () => State): void => {
    const never = (): void => {};
    Metric.registerUnsafe(metric, context, { get, update: never, modify: never });
  };

  return {
    counter: (family, labels = {}) =>
      once(family, labels, () => {
        let count = 0;
        register(Metric.counter(family.name, settings(family, labels)), () => ({
          count,
          incremental: true,
        }));
        return (by = 1) => void (count += by);
      }),

    histogram: (family, labels = {}) =>
      once(family, labels, () => {
        const { bounds } = family;
        const tally = makeTally(bounds);
        const metric = Metric.histogram(family.name, {
          ...settings(family, labels),
          boundaries: bounds,
        });
        register(metric, tally.state);
        return tally.observe;
      }),

    gauge: (family, labels = {}) =>
      once(family, labels, () => {
        let value = 0;
        register(Metric.gauge(family.name, settings(family, labels)), () => ({ value }));
        return (next) => void (value = next);
      }),

    text: () => PrometheusMetrics.formatUnsafe(context),
  };
};

const settings = ({ help }: Family, labels: Labels) => ({ description: help, attributes: labels });

const makeTally = (bounds: ReadonlyArray<number>) => {
  /** By the first bound that is not below the value; the last is for those past every bound. */
  const counts = new Float64Array(bounds.length + 1);
  let sum = 0;
  let count = 0;
  const observe: Observe = (value, times = 1) => {
    let i = 0;
    while (i < bounds.length && value > (bounds[i] ?? 0)) i++;
    counts[i] = (counts[i] ?? 0) + times;
    sum += value * times;
    count += times;
  };
  const state = (): Metric.HistogramState => {
    let upTo = 0;
    const buckets = bounds.map((bound, i): [number, number] => [bound, (upTo += counts[i] ?? 0)]);
    return { buckets, count, sum, min: 0, max: 0 };
  };
  return { observe, state };
};
