import { suite } from "uvu";
import * as assert from "uvu/assert";

import { startServer } from "../adapters/koa/server/server.ts";
import { listenFailed } from "./listen_failed.ts";

const test = suite("listenFailed");

const messageFor = (code: string): string =>
  listenFailed(Object.assign(new Error(`listen ${code}`), { code }), {
    HOST: "10.0.0.1",
    PORT: 80,
  }).message;

test("each reason is told in one line, with the variable that mends it", () => {
  for (const [code, message] of [
    ["EADDRINUSE", /^Another process listens on 10\.0\.0\.1 port 80\..* set PORT /],
    ["EADDRNOTAVAIL", /^HOST=10\.0\.0\.1 is no address of this machine\.$/],
    ["ENOTFOUND", /^HOST=10\.0\.0\.1 is no address of this machine\.$/],
    ["EACCES", /^Not allowed to listen on 10\.0\.0\.1 port 80\. Set PORT above 1023\.$/],
    ["EMFILE", /^Cannot listen on 10\.0\.0\.1 port 80: listen EMFILE$/],
  ] as const) {
    assert.match(messageFor(code), message);
  }
});

test("an address that is not this machine's is an error of the kind that is told", async () => {
  // Of a block that is set aside for documentation.
  const settings = { HOST: "192.0.2.1", PORT: 0 };
  const error = await startServer({ host: settings.HOST, port: 0, listener: () => {} }).then(
    () => assert.unreachable("it should have failed"),
    (cause: unknown) => cause,
  );
  assert.is(listenFailed(error, settings).message, "HOST=192.0.2.1 is no address of this machine.");
});

test.run();
