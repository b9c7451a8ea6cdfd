import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from "../../adapters/embedded_postgres/embedded_postgres.ts";
import type { Settings } from "../../adapters/embedded_postgres/settings.ts";

/** A primary and a hot standby that streams from it. */
export interface PostgresPair {
  readonly primary: EmbeddedPostgres;
  readonly standby: EmbeddedPostgres;
  readonly close: () => Promise<void>;
}

/** They run beside the shared server. */
const SMALL: Settings = { shared_buffers: "32MB" };

/**
 * Starts a server and its standby. Needs the program `cp`.
 *
 * @param wayTo turns the URL of the server into the one that the standby uses
 */
export const startPostgresPair = async (
  wayTo: (url: string) => Promise<string>,
): Promise<PostgresPair> => {
  const primaryDir = await mkdtemp(join(tmpdir(), "tidemark-test-"));
  const standbyDir = `${primaryDir}-standby`;
  const started: EmbeddedPostgres[] = [];
  const start = async (dataDir: string, settings: Settings = {}): Promise<EmbeddedPostgres> => {
    const server = await startEmbeddedPostgres({ dataDir, settings: { ...SMALL, ...settings } });
    started.push(server);
    return server;
  };
  const close = async (): Promise<void> => {
    await Promise.all(started.map((server) => server.stop()));
    for (const dir of [primaryDir, standbyDir]) await rm(dir, { recursive: true, force: true });
  };
  try {
    const original = await start(primaryDir);
    // There is no pg_basebackup. A copy of a stopped server is as good.
    await original.stop();
    await copy(primaryDir, standbyDir);
    const cluster = join(standbyDir, "postgres");
    // The content does not matter. The server, which removes it at promotion, must own it.
    await copy(join(cluster, "PG_VERSION"), join(cluster, "standby.signal"));
    const primary = await start(primaryDir);
    const { hostname, port, username, password } = new URL(await wayTo(primary.url));
    const standby = await start(standbyDir, {
      primary_conninfo: `host=${hostname} port=${port} user=${username} password=${password}`,
    });
    return { primary, standby, close };
  } catch (error) {
    await close();
    throw error;
  }
};

/** Copies a file or a folder with its owners and modes. */
const copy = (from: string, to: string): Promise<unknown> =>
  promisify(execFile)("cp", ["-a", from, to]);
