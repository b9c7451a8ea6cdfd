import { suite } from "uvu";
import * as assert from "uvu/assert";

import { describeUnknown, unknownVariables } from "./unknown_variables.ts";

const test = suite("unknown variables");

const KNOWN = ["HOST", "PORT", "AUTH", "ROLES", "DATABASE_URL", "DATA_DIR", "QUEUE_DEPTH_MAX"];

const reported = (environment: Readonly<Record<string, string>>): ReadonlyArray<string> =>
  unknownVariables(environment, KNOWN).map(describeUnknown);

test("a mistyped setting is reported with the one that was meant, and without its value", () => {
  const given = { AUHT: "required", QUEUE_DEPHT_MAX: "1", AUTH: "optional", DATABSE_URL: "secret" };
  assert.equal(reported(given), [
    "AUHT is not a setting of Tidemark and is ignored; did you mean AUTH?",
    "QUEUE_DEPHT_MAX is not a setting of Tidemark and is ignored; did you mean QUEUE_DEPTH_MAX?",
    "DATABSE_URL is not a setting of Tidemark and is ignored; did you mean DATABASE_URL?",
  ]);
});

test("a name with the prefix TIDEMARK_ was meant for us, whatever it resembles", () => {
  assert.equal(reported({ TIDEMARK_PORT: "80", TIDEMARK_COLOUR: "red" }), [
    "TIDEMARK_PORT is not a setting of Tidemark and is ignored; did you mean PORT?",
    "TIDEMARK_COLOUR is not a setting of Tidemark and is ignored",
  ]);
});

test("what Kubernetes says about services is of nobody's typing", () => {
  const injected = {
    TIDEMARK_PORT: "tcp://10.0.0.7:3000",
    TIDEMARK_SERVICE_HOST: "10.0.0.7",
    TIDEMARK_SERVICE_PORT_HTTP: "3000",
    TIDEMARK_PORT_3000_TCP_ADDR: "10.0.0.7",
  };
  assert.equal(reported(injected), []);
});

test.run();
