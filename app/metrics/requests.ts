import type { ResponseRecord } from "../../adapters/koa/telemetry/observe.ts";
import { PROBLEMS, REQUEST_DURATION } from "./families.ts";
import type { Meters, Observe } from "./meters.ts";

/** Measures requests by route, method and status; makes no more than one look-up for each. */
export const measureRequests = (meters: Meters): ((answered: ResponseRecord) => void) => {
  const series = new Map<string, Observe>();
  return ({ route, method, status, seconds, problem }) => {
    const key = `${method} ${route} ${status}`;
    let observe = series.get(key);
    if (observe === undefined) {
      observe = meters.histogram(REQUEST_DURATION, { route, method, status: String(status) });
      series.set(key, observe);
    }
    observe(seconds);
    if (problem !== undefined) meters.counter(PROBLEMS, { problem, status: String(status) })();
  };
};
