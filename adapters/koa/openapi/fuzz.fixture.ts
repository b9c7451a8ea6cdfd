import * as fc from "fast-check";
import * as assert from "uvu/assert";

import { type Answer, type Connection, openConnection } from "../server/connection.fixture.ts";
import type { Contract } from "./contract.fixture.ts";
import type { FuzzRequest } from "./request.fixture.ts";
import { requests, type RequestSpace } from "./requests.fixture.ts";

/** Repeats the same requests. */
const SEED = process.env["FUZZ_SEED"];

export interface FuzzOptions extends Omit<RequestSpace, "now"> {
  readonly url: string;
  readonly runs: number;
  /** Called periodically and at the end to check that all is well. */
  readonly isWell: () => Promise<void>;
}

/** How many requests are sent between two checks. */
const LOOK_EVERY = 2_000;

/**
 * Sends requests of every kind, one after the other on the same connection as long as it is open,
 * and asserts that each is answered as documented. A failure prints its seed: `FUZZ_SEED=… npm
 * test`.
 *
 * @returns how often each operation returned each status, such as `findJob 404`
 */
export const fuzz = async (options: FuzzOptions): Promise<ReadonlyMap<string, number>> => {
  const { url, contract, runs, isWell } = options;
  const outcomes = new Map<string, number>();
  let connection: Connection | undefined;
  let sent = 0;

  const exchange = async (request: FuzzRequest): Promise<Answer> => {
    connection ??= await openConnection(url);
    connection.write(bytesOf(request));
    const answer = await connection.answer(request.method === "HEAD" ? "HEAD" : undefined);
    // Where a body with an odd encoding ends is unclear: the next response could belong to it.
    const isFramed = !request.headers.some(([name]) => /^transfer-encoding$/i.test(name));
    if (answer?.headers["connection"] !== "keep-alive" || !isFramed) {
      connection.reset();
      connection = undefined;
    }
    assert.ok(answer, "the connection was closed without an answer");
    return answer;
  };

  const ask = async (request: FuzzRequest): Promise<Answer> => {
    const answer = await exchange(request);
    const outcome = judge(contract, request, answer);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    return answer;
  };

  const property = fc.asyncProperty(requests({ ...options, now: Date.now() }), async (request) => {
    try {
      const answer = await ask(request);
      const next = request.valid ? following(request, answer) : undefined;
      if (next !== undefined) await ask(next);
    } catch (error) {
      // The next response on it could belong to this request.
      connection?.reset();
      connection = undefined;
      throw error;
    }
    if (++sent % LOOK_EVERY === 0) await isWell();
  });
  try {
    await fc.assert(property, {
      numRuns: runs,
      includeErrorInReport: true,
      ...(SEED === undefined ? {} : { seed: Number(SEED) }),
    });
    await isWell();
  } finally {
    connection?.reset();
  }
  return outcomes;
};

/** Requests that only a response makes possible: for a job, or for the next page. */
const following = (request: FuzzRequest, answer: Answer): FuzzRequest | undefined => {
  const { location } = answer.headers;
  const get = { valid: true, method: "GET", body: Buffer.alloc(0) };
  const headers = request.headers.filter(([name]) => name === "Authorization");
  if (location !== undefined) return { ...get, headers, target: location };
  if (!/^\/accounts\/[^/]+\/events/.test(request.target)) return undefined;
  const { next_cursor: cursor } = JSON.parse(answer.body) as {
    readonly next_cursor: string | null;
  };
  if (cursor === null) return undefined;
  const [path = "", query] = request.target.split("?");
  return {
    ...get,
    headers,
    target: `${path}?${query === undefined ? "" : `${query}&`}cursor=${cursor}`,
  };
};

const bytesOf = ({ method, target, headers, body }: FuzzRequest): Buffer => {
  const given = new Set(headers.map(([name]) => name.toLowerCase()));
  const all = [...(given.has("host") ? [] : [["Host", "localhost"] as const]), ...headers];
  if (!given.has("transfer-encoding")) all.push(["Content-Length", String(body.length)]);
  const lines = all.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return Buffer.concat([Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines}\r\n`), body]);
};

/** Throws unless the response is right for the request; returns its operation and status. */
const judge = (contract: Contract, request: FuzzRequest, answer: Answer): string => {
  const { method, target, valid } = request;
  const { status } = answer;
  const to = method === "HEAD" ? "HEAD" : undefined;
  assert.ok(status < 500, `${status} ${answer.body}`);
  if (status >= 400) contract.holdsProblem(answer, to);

  const path = /^(\/[^#?\s\\]*)(?:\?[^#\s\\]*)?$/.exec(target)?.[1];
  const methods = contract.operationsAt(path ?? "");
  const operation = methods.get(method) ?? (to === "HEAD" ? methods.get("GET") : undefined);
  if (operation !== undefined) {
    contract.holds(operation, answer, to);
    // Only jobs and dead letters must exist to be found.
    const mayBeMissing = /^\/(?:jobs|dead-letters)\//.test(operation.path);
    const found = status < 400 || (mayBeMissing && status === 404);
    if (valid) assert.ok(found, `a valid request is refused: ${status} ${answer.body}`);
    return `${operation.operationId} ${status}`;
  }
  if (methods.size > 0) {
    assert.ok([204, 405, ...BEFORE_THE_ROUTE].includes(status), `${status} to ${method} ${target}`);
    assert.is(status === 204, method === "OPTIONS" && answer.headers["allow"] !== undefined);
    if (status === 405) assert.equal(answer.headers["allow"], allowed(methods));
    return `other method ${status}`;
  }
  // The router accepts a path in any case, and with a slash at its end.
  const isVariant = contract.operationsAt((path ?? "").toLowerCase().replace(/\/$/, "")).size > 0;
  if (path !== undefined && !isVariant) {
    assert.ok([404, ...BEFORE_THE_ROUTE].includes(status), `${status} to ${method} ${target}`);
  }
  return `other path ${status}`;
};

/** Statuses of requests that are refused before they are routed. */
const BEFORE_THE_ROUTE = [400, 401, 403, 408, 429, 431];

const allowed = (methods: ReadonlyMap<string, unknown>): string =>
  [...methods.keys(), ...(methods.has("GET") ? ["HEAD"] : [])].toSorted().join(", ");
