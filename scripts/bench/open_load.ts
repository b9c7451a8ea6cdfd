import { loadBatch, openPoster, type Poster } from "./poster.ts";
import { percentile } from "./statistics.ts";

/** Posts at a fixed rate that does not depend on the answers, as with independent users. */
export interface OpenLoad {
  readonly requestsPerSecond: number;
  readonly seconds: number;
  readonly eventsPerRequest: number;
}

export interface OpenLoadResult {
  /** Events in requests that were answered 202. */
  readonly accepted: number;
  /** Requests that were answered 503. */
  readonly refused: number;
  /** Latencies of 202 answers after the warm-up, in milliseconds since the request was due. */
  readonly p50: number;
  readonly p99: number;
  /** The real duration. */
  readonly seconds: number;
}

const CONNECTIONS = 128;

/** Answers before this time do not count: the process connects, and is slow itself at first. */
const WARM_UP_MS = 2_000;

/** Requests in flight. Beyond it a request that is due is not sent, and counts as refused. */
const PENDING_MAX = 1_024;

/** Sends events to `POST /events` at a steady rate. */
export const sendOpenLoad = async (
  url: string,
  { requestsPerSecond, seconds, eventsPerRequest }: OpenLoad,
): Promise<OpenLoadResult> => {
  // First in, first out, so that no connection is idle until the service closes it.
  const idle = await Promise.all(Array.from({ length: CONNECTIONS }, () => openPoster(url)));
  /** Requests that wait for a connection. */
  const queued: Array<(poster: Poster) => void> = [];
  /** Refused batches, which are sent again as a client would. */
  const refusedBodies: Buffer[] = [];
  const pending = new Set<Promise<void>>();
  const latencies: number[] = [];
  let accepted = 0;
  let refused = 0;
  const since = performance.now();

  const post = async (body: Buffer): Promise<number> => {
    let poster = idle.shift() ?? (await new Promise<Poster>((resolve) => queued.push(resolve)));
    // Some refusals close the connection.
    if (!poster.isOpen()) poster = await openPoster(url);
    const status = await poster.post(body);
    const next = queued.shift();
    if (next === undefined) idle.push(poster);
    else next(poster);
    return status;
  };

  const sendOne = async (dueAt: number): Promise<void> => {
    const body = refusedBodies.pop() ?? loadBatch(eventsPerRequest);
    const status = await post(body);
    if (status === 202) {
      accepted += eventsPerRequest;
      if (dueAt >= WARM_UP_MS) latencies.push(performance.now() - since - dueAt);
    } else if (status === 503) {
      refused++;
      refusedBodies.push(body);
    } else throw new Error(`POST /events answered ${status}`);
  };

  let due = 0;
  while (due < requestsPerSecond * seconds) {
    const now = performance.now() - since;
    for (; due < Math.min((now * requestsPerSecond) / 1_000, requestsPerSecond * seconds); due++) {
      if (pending.size >= PENDING_MAX) {
        refused++;
        continue;
      }
      const request = sendOne((due * 1_000) / requestsPerSecond).finally(() =>
        pending.delete(request),
      );
      pending.add(request);
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(pending);
  for (const { close } of idle) close();
  return {
    accepted,
    refused,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    seconds: (performance.now() - since) / 1_000,
  };
};
