import { Context, Layer, Metric } from "effect";
import { PrometheusMetrics } from "effect/observability";

/** Adds to a counter, 1 by default. */
export type Count = (by?: number) => void;

/** Adds a value to a distribution, once by default. */
export type Observe = (value: number, times?: number) => void;

type Labels = Readonly<Record<string, string>>;

/**
 * Makes the series of a metric that has these labels. Labels that were used before give the same
 * series.
 */
type Series<A> = (labels?: Labels) => A;

/**
 * The metrics of a process. A series is made once and from then on is a function that adds to plain
 * numbers: the hot path cannot afford a library's look-ups and allocations for each value. Text is
 * made when metrics are scraped. A series exists, with zeros, from when it is made.
 */
export class Meters extends Context.Service<
  Meters,
  {
    /** @param name ends with its unit and `_total` */
    readonly counter: (name: string, help: string) => Series<Count>;
    /** @param bounds of the buckets, ascending; a last bucket without a bound is added */
    readonly histogram: (
      name: string,
      help: string,
      bounds?: ReadonlyArray<number>,
    ) => Series<Observe>;
    readonly gauge: (name: string, help: string) => Series<(value: number) => void>;
    /** All series in the text format of Prometheus. */
    readonly text: () => string;
  }
>()("tidemark/Meters") {
  static readonly layer: Layer.Layer<Meters> = Layer.sync(Meters, () => makeMeters());
}

/** From a millisecond to ten seconds: shorter is fast, longer has failed. */
const SECONDS_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export const makeMeters = (): Meters["Service"] => {
  const context = Context.make(Metric.MetricRegistry, new Map());
  const made = new Map<string, unknown>();

  // Effect's own histograms take one value at a time and count in 32 bits, which a busy bucket
  // overflows within days. So the numbers are kept here, and Effect prints them.
  const register = <Input, State>(metric: Metric.Metric<Input, State>, get: () => State): void => {
    const never = (): void => {};
    Metric.registerUnsafe(metric, context, { get, update: never, modify: never });
  };

  const seriesOf =
    <A>(
      name: string,
      help: string,
      make: (settings: { readonly description: string; readonly attributes: Labels }) => A,
    ): Series<A> =>
    (labels = {}) => {
      const key = `${name} ${JSON.stringify(labels)}`;
      const known = made.get(key) as A | undefined;
      if (known !== undefined) return known;
      const series = make({ description: help, attributes: labels });
      made.set(key, series);
      return series;
    };

  return {
    counter: (name, help) =>
      seriesOf(name, help, (settings) => {
        let count = 0;
        register(Metric.counter(name, settings), () => ({ count, incremental: true }));
        return (by = 1) => void (count += by);
      }),

    histogram: (name, help, bounds = SECONDS_BOUNDS) =>
      seriesOf(name, help, (settings) => {
        const { observe, state } = makeTally(bounds);
        register(Metric.histogram(name, { ...settings, boundaries: bounds }), state);
        return observe;
      }),

    gauge: (name, help) =>
      seriesOf(name, help, (settings) => {
        let value = 0;
        register(Metric.gauge(name, settings), () => ({ value }));
        return (next) => void (value = next);
      }),

    text: () => PrometheusMetrics.formatUnsafe(context),
  };
};

const makeTally = (bounds: ReadonlyArray<number>) => {
  /**
   * By the first bound that is not below the value; the last element counts values above every
   * bound.
   */
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
