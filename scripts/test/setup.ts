import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startEmbeddedPostgres } from "../../adapters/embedded_postgres/embedded_postgres.ts";
import type { Settings } from "../../adapters/embedded_postgres/settings.ts";

/**
 * Starts the Postgres that all test files of a run share, each with databases of its own
 * (`database.ts`). Uses the server in `TEST_DATABASE_URL` instead, if that is set.
 *
 * @param settings override the defaults of the server
 */
export const setup = async (
  settings: Settings = {},
): Promise<{
  readonly env: Record<string, string>;
  readonly teardown: () => Promise<void>;
}> => {
  const given = process.env["TEST_DATABASE_URL"];
  if (given !== undefined && given !== "") {
    return { env: { TEST_DATABASE_URL: given }, teardown: async () => {} };
  }
  const dataDir = await mkdtemp(join(tmpdir(), "tidemark-test-"));
  const server = await startEmbeddedPostgres({ dataDir, settings });
  return {
    env: { TEST_DATABASE_URL: server.url },
    teardown: async () => {
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
};
