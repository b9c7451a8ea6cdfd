import Router from "@koa/router";
import { Context, Effect } from "effect";
import type Koa from "koa";
import * as assert from "uvu/assert";

import type { Access } from "../../core/access/access.ts";
import { ANYONE } from "../../core/access/principal.ts";
import type { Quotas } from "../../core/access/quotas.ts";
import { Admission } from "../../core/command/admission.ts";
import { AccountEvents } from "../../core/log/account_events.ts";
import { SummaryCache } from "../../core/query/summary_cache.ts";
import { DeadLetters } from "../../core/queue/dead_letters.ts";
import { Queue, type QueueFull } from "../../core/queue/queue.ts";
import { Activity } from "../../core/summary/activity.ts";
import { Summaries } from "../../core/summary/summaries.ts";
import { makeMemoryServices } from "../../scripts/test/memory_services.ts";
import type { RateLimitOptions } from "./access/rate_limit.ts";
import { makeApplication, type RouteLimits } from "./application.ts";
import { makeBodies } from "./request/bodies.ts";
import type { Problem } from "./response/problem.ts";
import { SECURITY_HEADERS } from "./response/reply.ts";
import type { Readiness } from "./routes/route.ts";
import { type Answer, type Connection, openConnection } from "./server/connection.fixture.ts";
import { type ServerOptions, startServer } from "./server/server.ts";
import type { ResponseRecord } from "./telemetry/observe.ts";

/** The real application on a real listener, with ports in memory. */
export interface Api {
  readonly url: string;
  /** Every route with its method, such as `GET /jobs/:id`. */
  readonly routes: ReadonlyArray<string>;
  /** The defects that the application reported. */
  readonly defects: ReadonlyArray<unknown>;
  /** The requests that have ended. */
  readonly answered: ReadonlyArray<ResponseRecord>;
  /** What was refused before it became a request. */
  readonly refused: ReadonlyArray<number | string>;
  /** How many bytes of memory all request bodies take. */
  readonly bodiesHeld: () => number;
  /** Appends and projects accepted events; returns the number of events in the log. */
  readonly drain: () => Promise<number>;
  readonly close: () => Promise<void>;
}

type Timeouts = "headersTimeoutMs" | "requestTimeoutMs" | "silenceTimeoutMs" | "connectionsMax";

export interface ApiOptions extends Pick<ServerOptions, Timeouts> {
  readonly limits?: Partial<RouteLimits>;
  /** The most bytes of memory that bodies may take together. */
  readonly bodiesBytesMax?: number;
  readonly rateLimit?: Partial<RateLimitOptions>;
  readonly proxies?: number;
  readonly allowedHosts?: ReadonlySet<string>;
  readonly corsOrigins?: ReadonlySet<string>;
  /** By default every request may do anything. */
  readonly access?: Access["Service"];
  readonly quotas?: Quotas;
  /** Why no events are accepted. */
  readonly refusal?: () => QueueFull | undefined;
  /** "starting", or undefined for a process without the api role; by default ports in memory. */
  readonly services?: "starting" | undefined;
  readonly readiness?: Readiness;
  /** By default nothing is cached. */
  readonly cache?: SummaryCache["Service"];
  readonly queue?: Partial<Queue["Service"]>;
  readonly deadLetters?: Partial<DeadLetters["Service"]>;
  readonly summaries?: Partial<Summaries["Service"]>;
  readonly activity?: Partial<Activity["Service"]>;
  readonly accountEvents?: Partial<AccountEvents["Service"]>;
}

// Not ANYONE, the principal of a service without keys, which answers only its own machine.
const ANYBODY = { ...ANYONE };
const LETS_ANYBODY_IN: Access["Service"] = {
  known: () => ANYBODY,
  remembers: () => false,
  authenticate: () => Effect.succeed(ANYBODY),
};
const NO_LIMIT: RateLimitOptions = {
  anonymousPerMinute: 500,
  limitLoopback: false,
  shared: undefined,
};
const LIMITS: RouteLimits = { answerTimeoutMs: 10_000 };

/** Starts the API. Given ports replace parts of those in memory, to make them fail. */
export const startApi = async (options: ApiOptions = {}): Promise<Api> => {
  const { services, drain } = makeMemoryServices(options.quotas);
  const admission = Context.get(services, Admission);
  const replaced = services.pipe(
    Context.add(Admission, { ...admission, refusal: options.refusal ?? admission.refusal }),
    Context.add(SummaryCache, options.cache ?? Context.get(services, SummaryCache)),
    Context.add(Queue, { ...Context.get(services, Queue), ...options.queue }),
    Context.add(DeadLetters, { ...Context.get(services, DeadLetters), ...options.deadLetters }),
    Context.add(Summaries, { ...Context.get(services, Summaries), ...options.summaries }),
    Context.add(Activity, { ...Context.get(services, Activity), ...options.activity }),
    Context.add(AccountEvents, {
      ...Context.get(services, AccountEvents),
      ...options.accountEvents,
    }),
  );
  const defects: unknown[] = [];
  const answered: ResponseRecord[] = [];
  const bodies = makeBodies({
    bytesMax: options.bodiesBytesMax ?? 64 * 1024 * 1024,
    proxies: options.proxies ?? 0,
  });
  const koa = makeApplication({
    services: "services" in options ? options.services : replaced,
    context: Context.empty(),
    access: options.access ?? LETS_ANYBODY_IN,
    limits: { ...LIMITS, ...options.limits },
    bodies,
    rateLimit: { ...NO_LIMIT, ...options.rateLimit },
    proxies: options.proxies ?? 0,
    allowedHosts: options.allowedHosts ?? new Set(),
    corsOrigins: options.corsOrigins ?? new Set(),
    readiness: async () => options.readiness ?? { ready: true, checks: {} },
    metrics: async () => "tidemark_test 1\n",
    onDefect: (defect) => defects.push(defect),
    onResponse: (request) => answered.push(request),
  });
  const refused: Array<number | string> = [];
  const { headersTimeoutMs, requestTimeoutMs, silenceTimeoutMs, connectionsMax } = options;
  const server = await startServer({
    host: "127.0.0.1",
    port: 0,
    listener: koa.callback(),
    onArrival: bodies.receive,
    isFairByAddress: (options.proxies ?? 0) === 0,
    onRefused: (reason) => refused.push(reason),
    ...(headersTimeoutMs === undefined ? {} : { headersTimeoutMs }),
    ...(requestTimeoutMs === undefined ? {} : { requestTimeoutMs }),
    ...(silenceTimeoutMs === undefined ? {} : { silenceTimeoutMs }),
    ...(connectionsMax === undefined ? {} : { connectionsMax }),
  });
  const close = () => server.close(1_000);
  return {
    url: server.url,
    routes: routesOf(koa),
    defects,
    answered,
    refused,
    bodiesHeld: bodies.held,
    drain,
    close,
  };
};

const routesOf = ({ middleware }: Koa): ReadonlyArray<string> =>
  middleware
    .flatMap((each) => ("router" in each && each.router instanceof Router ? each.router.stack : []))
    .flatMap(({ methods, path }) => methods.map((method) => `${method} ${String(path)}`));

let events = 0;

/** An event that the API accepts, by default with a unique ID. */
export const validEvent = (fields: Readonly<Record<string, unknown>> = {}) => ({
  event_id: `e${++events}`,
  account_id: "acme",
  user_id: "ada",
  type: "login",
  timestamp: new Date().toISOString(),
  ...fields,
});

export const batchOf = (...items: ReadonlyArray<unknown>): string =>
  JSON.stringify({ events: items });

type Headers = Readonly<Record<string, string>>;

/** A request as it is sent, by default with the right Content-Length. */
export const requestBytes = (
  line: string,
  body: string | Uint8Array = "",
  headers: Headers = {},
): Buffer => {
  const bytes = Buffer.from(body);
  const fields = { Host: "localhost", "Content-Length": String(bytes.length), ...headers };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`${line} HTTP/1.1\r\n${lines.join("")}\r\n`), bytes]);
};

export const postBytes = (body: string | Uint8Array, headers: Headers = {}): Buffer =>
  requestBytes("POST /events", body, { "Content-Type": "application/json", ...headers });

/** Sends a request on its own connection. */
export const send = async (api: Api, bytes: Uint8Array): Promise<Answer> => {
  const connection = await openConnection(api.url);
  connection.write(bytes);
  const isHead = Buffer.from(bytes.subarray(0, 5)).toString() === "HEAD ";
  const answer = await connection.answer(isHead ? "HEAD" : undefined);
  connection.reset();
  assert.ok(answer, "the server closed the connection without an answer");
  return answer;
};

export const get = (api: Api, path: string): Promise<Answer> =>
  send(api, requestBytes(`GET ${path}`));

export const post = (api: Api, body: string | Uint8Array, headers: Headers = {}): Promise<Answer> =>
  send(api, postBytes(body, headers));

/** Has events accepted and projected. */
export const record = async (api: Api, ...items: ReadonlyArray<unknown>): Promise<void> => {
  await accept(api, ...items);
  await api.drain();
};

/** Has events accepted; returns the ID of their job. */
export const accept = async (api: Api, ...items: ReadonlyArray<unknown>): Promise<string> => {
  const answer = await post(api, batchOf(...items));
  assert.is(answer.status, 202, answer.body);
  return (JSON.parse(answer.body) as { jobId: string }).jobId;
};

/** Gets a path that succeeds; returns the body. */
export const json = async <A = Record<string, unknown>>(api: Api, path: string): Promise<A> => {
  const answer = await get(api, path);
  assert.is(answer.status, 200, answer.body);
  return JSON.parse(answer.body) as A;
};

/** The same for a response that no cache may store. */
export const uncachedJson = async <A = Record<string, unknown>>(
  api: Api,
  path: string,
): Promise<A> => {
  assert.is((await get(api, path)).headers["cache-control"], "no-store");
  return json<A>(api, path);
};

/** Asserts what every problem document promises, and returns it. */
export const problemIn = (
  answer: Answer | undefined,
  status: number,
  name: string,
): Required<Pick<Problem, "errors">> & Problem & { readonly request_id: string } => {
  assert.ok(answer, "the server closed the connection without an answer");
  assert.is(answer.status, status, answer.body);
  assert.is(answer.headers["content-type"], "application/problem+json");
  assert.is(answer.headers["cache-control"], "no-store");
  for (const [header, value] of Object.entries(SECURITY_HEADERS)) {
    assert.is(answer.headers[header.toLowerCase()], value, header);
  }
  for (const header of ["server", "x-powered-by"]) assert.is(answer.headers[header], undefined);
  const problem = JSON.parse(answer.body) as Problem & { readonly request_id: string };
  assert.is(problem.request_id, answer.headers["x-request-id"]);
  assert.is(problem.type, `urn:tidemark:problem:${name}`, answer.body);
  assert.is(problem.status, status);
  assert.ok(problem.title.length > 0 && problem.detail.length > 0, answer.body);
  return { ...problem, errors: problem.errors ?? [] };
};

/**
 * Sends an invalid request and then a valid one on the same connection: the first one is refused
 * with the problem, stores nothing and leaves the connection usable. Returns the problem.
 */
export const refusal = async (
  api: Api,
  bytes: Uint8Array,
  status: number,
  name: string,
): Promise<ReturnType<typeof problemIn>> => {
  const before = await api.drain();
  const connection: Connection = await openConnection(api.url);
  connection.write(bytes);
  const problem = problemIn(await connection.answer(), status, name);
  assert.is(await api.drain(), before, "part of the refused request is stored");
  connection.write(postBytes(batchOf(validEvent())));
  assert.is((await connection.answer())?.status, 202, "the connection is no longer usable");
  assert.is(await api.drain(), before + 1);
  connection.reset();
  return problem;
};
