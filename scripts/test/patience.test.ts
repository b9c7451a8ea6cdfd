import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("patience");

const PATIENCE = JSON.stringify(new URL("patience.ts", import.meta.url).href);

test("a timeout says what was expected, how long, and which variable sets the limit", async () => {
  const script = `
    import { until } from ${PATIENCE};
    const said = (error) => console.log(error.message);
    await until(() => true);
    let asked = 0;
    await until(async () => ++asked === 3);
    await until(() => false, "the guest never came").catch(said);
    await until(() => asked === 4).catch(said);`;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--input-type=module", "--eval", script],
    { env: { ...process.env, TEST_PATIENCE_MS: "30" } },
  );
  assert.equal(stdout.split("\n"), [
    "the guest never came within 0.03 s (TEST_PATIENCE_MS sets another limit)",
    "never: () => asked === 4 within 0.03 s (TEST_PATIENCE_MS sets another limit)",
    "",
  ]);
});

test.run();
