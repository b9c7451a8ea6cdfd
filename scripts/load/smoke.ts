import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startChild } from "../bench/with_service.ts";
import { runK6 } from "./k6.ts";

/** A k6 script. */
export interface Scenario {
  readonly name: string;
  readonly path: string;
}

/** Long enough for every part of a scenario to send requests. */
const SECONDS = "6";

/** A smoke test checks that scenarios run and answers are right. Real runs check latencies. */
const LENIENT = {
  DURATION_SECONDS: SECONDS,
  RATE: "0.5",
  POST_P99_MS: "5000",
  SUMMARY_P99_MS: "5000",
  VISIBLE_P99_MS: "9000",
};

/** Runs every scenario briefly against a service of its own, and returns those that failed. */
export const smoke = async (
  k6: string,
  scenarios: ReadonlyArray<Scenario>,
): Promise<ReadonlyArray<string>> => {
  const dataDir = await mkdtemp(join(tmpdir(), "tidemark-load-"));
  try {
    const service = await startChild(
      "app/main.ts",
      [],
      // Isolated from the database and the Redis of the environment.
      { ...OWN, PORT: "0", DATA_DIR: dataDir, LOG_FORMAT: "json" },
      /listens on (http:\S+?)[" ]/,
    );
    const failed: string[] = [];
    try {
      for (const { name, path } of scenarios) {
        process.stdout.write(`\n${name}\n`);
        const code = await runK6(k6, ["run", "--quiet", path], {
          ...LENIENT,
          BASE_URL: service.found,
          TIDEMARK_KEY: "",
        });
        if (code === EXIT_INTERRUPTED) throw new Error("interrupted");
        if (code !== 0) failed.push(name);
      }
    } finally {
      await service.stop();
    }
    return failed;
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
};

const OWN = { HOST: "", DATABASE_URL: "", REDIS_URL: "", ROLES: "", AUTH: "" };

/** The exit code of k6 after a signal. */
const EXIT_INTERRUPTED = 105;
