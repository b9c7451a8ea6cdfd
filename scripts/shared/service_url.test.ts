import { suite } from "uvu";
import * as assert from "uvu/assert";

import { UsageError } from "../../adapters/terminal/command_line.ts";
import { serviceOrigin, serviceUrl } from "./service_url.ts";

const test = suite("serviceUrl");

test("it follows HOST and PORT, with the defaults of the service", () => {
  assert.is(serviceUrl({}), "http://127.0.0.1:3000");
  assert.is(serviceUrl({ HOST: "", PORT: "" }), "http://127.0.0.1:3000");
  assert.is(serviceUrl({ HOST: "localhost", PORT: "3555" }), "http://localhost:3555");
  assert.is(serviceUrl({ HOST: "2001:db8::1" }), "http://[2001:db8::1]:3000");
});

test("a service on every interface is reached on this machine", () => {
  assert.is(serviceUrl({ HOST: "0.0.0.0" }), "http://127.0.0.1:3000");
  assert.is(serviceUrl({ HOST: "::" }), "http://[::1]:3000");
});

test("the address of a service is an origin, and an invalid one is not repeated", () => {
  assert.is(serviceOrigin("http://[::1]:3000").host, "[::1]:3000");
  assert.is(serviceOrigin("https://a.example/").origin, "https://a.example");
  for (const text of ["", "x", "ftp://a", "http://a/path", "http://a/?x", "http://user:pw@a"]) {
    assert.throws(
      () => serviceOrigin(text),
      (error: unknown) =>
        error instanceof UsageError &&
        error.message === "--url must be a URL such as http://127.0.0.1:3000, without a path",
    );
  }
});

test.run();
