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

/** They run beside the server that all tests share. */
const SMALL: Settings = { shared_buffers: "32MB" };

/**
 * Starts a server, and another one as its standby. Needs the program `cp`.
 *
 * @param wayTo makes the URL by which the standby reaches the server, given the server's own
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
    // There is no pg_basebackup; a copy of a server that was shut down is as good.
    await original.stop();
    await copy(primaryDir, standbyDir);
    const cluster = join(standbyDir, "postgres");
    // Only that it is there matters, and that its owner is the server's, who removes it when it is promoted.
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
