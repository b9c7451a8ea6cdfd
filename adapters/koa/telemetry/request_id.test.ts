import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import {
  type Api,
  get,
  postBytes,
  problemIn,
  requestBytes,
  send,
  startApi,
} from "../api.fixture.ts";
import { openConnection } from "../server/connection.fixture.ts";
import { REQUEST_ID_CHARACTERS_MAX } from "./request_id.ts";

const test = suite<{ api: Api }>("request id");

test.before(async (context) => {
  context.api = await startApi();
});
test.after(async ({ api }) => {
  await api.close();
});

const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const TRACEPARENT = `00-${TRACE_ID}-00f067aa0ba902b7-01`;

type Headers = Readonly<Record<string, string>>;

/** The ID of the response to a request with these headers. */
const idOf = async (api: Api, headers: Headers, path = "/accounts/sample"): Promise<string> => {
  const answer = await send(api, requestBytes(`GET ${path}`, "", headers));
  return answer.headers["x-request-id"] ?? "";
};

test("a probe keeps the ID that it sends", async ({ api }) => {
  for (const path of ["/healthz", "/readyz"]) {
    assert.is(await idOf(api, { "X-Request-Id": "probe" }, path), "probe");
  }
});

const MADE = /^[0-9a-f]{16}-\d+$/;

test("a request keeps the ID that it sends", async ({ api }) => {
  for (const id of ["a", "7f3e-42", "req_1:2/3@host+x=", "x".repeat(REQUEST_ID_CHARACTERS_MAX)]) {
    assert.is(await idOf(api, { "X-Request-Id": id }), id);
    assert.is(await idOf(api, { "X-Request-Id": id, traceparent: TRACEPARENT }), id);
  }
});

test("a traced request has the ID of its trace", async ({ api }) => {
  assert.is(await idOf(api, { traceparent: TRACEPARENT }), TRACE_ID);
  assert.is(await idOf(api, { traceparent: `01-${TRACE_ID}-00f067aa0ba902b7-01-more` }), TRACE_ID);
});

test("any other request gets a unique ID", async ({ api }) => {
  const ids = await Promise.all(Array.from({ length: 20 }, () => idOf(api, {})));
  for (const id of ids) assert.match(id, MADE);
  assert.is(new Set(ids).size, ids.length);
});

test("an ID that is malformed or too long is replaced", async ({ api }) => {
  for (const id of ["", "a b", "a,b", 'a"b', "<b>", "é", "%0a", "x".repeat(129)]) {
    assert.match(await idOf(api, { "X-Request-Id": id }), MADE, id);
  }
  for (const traceparent of [
    `00-${"0".repeat(32)}-00f067aa0ba902b7-01`,
    `00-${TRACE_ID}-${"0".repeat(16)}-01`,
    `ff-${TRACE_ID}-00f067aa0ba902b7-01`,
    `00-${TRACE_ID.toUpperCase()}-00f067aa0ba902b7-01`,
    TRACE_ID,
  ]) {
    assert.match(await idOf(api, { traceparent }), MADE, traceparent);
  }
});

test("whatever a client sends, the ID is safe in headers and log lines", async ({ api }) => {
  const value = fc.string({ unit: "binary", maxLength: 200 }).map((text) =>
    Buffer.from(text)
      .toString("latin1")
      // Line breaks would end the header.
      .replaceAll(/[\0\r\n]/g, ""),
  );
  await fc.assert(
    fc.asyncProperty(value, async (text) => {
      const id = await idOf(api, { "X-Request-Id": text });
      assert.ok(
        MADE.test(id) || (id === text.trim() && id.length <= REQUEST_ID_CHARACTERS_MAX),
        id,
      );
      assert.match(id, /^[A-Za-z0-9._:+/=@-]+$/);
    }),
    { numRuns: 50 },
  );
});

test("a problem document has the ID, whichever part of the service refuses", async ({ api }) => {
  const named = { "X-Request-Id": "mine" };
  for (const [bytes, status, name] of [
    [requestBytes("GET /nowhere", "", named), 404, "route-unknown"],
    [requestBytes("PUT /events", "", named), 405, "method-not-allowed"],
    [requestBytes("GET /%zz", "", named), 400, "path-malformed"],
    [postBytes("{", named), 400, "json-malformed"],
  ] as const) {
    const answer = await send(api, bytes);
    assert.is(problemIn(answer, status, name).request_id, "mine");
    assert.is(answer.headers["x-request-id"], "mine");
  }
});

test("a request that is not HTTP gets an ID, too", async ({ api }) => {
  const connection = await openConnection(api.url);
  connection.write("GET / HTTP/9.9\r\n\r\n");
  const answer = await connection.answer();
  const { request_id: id } = problemIn(answer, 400, "http-malformed");
  assert.match(id, MADE);
  assert.is(answer?.headers["x-request-id"], id);
  connection.reset();
});

test("observers get the ID of the response", async () => {
  const api = await startApi();
  const answer = await get(api, "/accounts/sample");
  await api.close();
  assert.is(api.answered.at(-1)?.request_id, answer.headers["x-request-id"]);
});

test.run();
