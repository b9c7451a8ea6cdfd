import { suite } from "uvu";
import * as assert from "uvu/assert";

import { serviceUrl } from "./service_url.ts";

const test = suite("serviceUrl");

test("it is where the service listens, and unset or empty as by default", () => {
  assert.is(serviceUrl({}), "http://127.0.0.1:3000");
  assert.is(serviceUrl({ HOST: "", PORT: "" }), "http://127.0.0.1:3000");
  assert.is(serviceUrl({ HOST: "localhost", PORT: "3555" }), "http://localhost:3555");
  assert.is(serviceUrl({ HOST: "2001:db8::1" }), "http://[2001:db8::1]:3000");
});

test("a service on every interface is asked on this machine", () => {
  assert.is(serviceUrl({ HOST: "0.0.0.0" }), "http://127.0.0.1:3000");
  assert.is(serviceUrl({ HOST: "::" }), "http://[::1]:3000");
});

test.run();
