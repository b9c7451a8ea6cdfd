import { Effect } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import {
  type Api,
  batchOf,
  get,
  post,
  requestBytes,
  send,
  startApi,
  validEvent,
} from "../api.fixture.ts";
import { SECURITY_HEADERS } from "./reply.ts";

const test = suite<{ api: Api }>("common headers");

test.before(async (context) => {
  context.api = await startApi({ queue: { find: () => Effect.die("a bug") } });
});
test.after(({ api }) => api.close());

for (const [what, ask] of Object.entries({
  "an accepted batch": (api: Api) => post(api, batchOf(validEvent())),
  "a summary": (api: Api) => get(api, "/accounts/acme/summary"),
  "a list": (api: Api) => get(api, "/accounts/acme/events"),
  metrics: (api: Api) => get(api, "/metrics"),
  health: (api: Api) => get(api, "/healthz"),
  "a redirect": (api: Api) => get(api, "/docs/"),
  "a defect": (api: Api) => get(api, "/jobs/1"),
  "an unknown path": (api: Api) => get(api, "/nothing"),
  "a malformed path": (api: Api) => get(api, "/%zz"),
  OPTIONS: (api: Api) => send(api, requestBytes("OPTIONS /events")),
  "a request that is not HTTP": (api: Api) => send(api, Buffer.from("NONSENSE\r\n\r\n")),
})) {
  test(`${what} has each of them once, and no server name`, async ({ api }) => {
    const { headers } = await ask(api);
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) {
      assert.is(headers[name.toLowerCase()], value, name);
    }
    assert.match(headers["x-request-id"] ?? "", /^[0-9a-f]{16}-\d+$/);
    for (const name of ["server", "x-powered-by", "via"]) assert.is(headers[name], undefined);
  });
}

test.run();
