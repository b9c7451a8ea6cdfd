import { setTimeout as delay } from "node:timers/promises";

import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from "../../adapters/embedded_postgres/embedded_postgres.ts";
import type { Settings } from "../../adapters/embedded_postgres/settings.ts";

export interface PostgresServerOptions {
  readonly dataDir: string;
  readonly settings?: Settings;
  /** Called with the port of the server after each start. */
  readonly onPort: (port: number) => void;
}

/** Ends the whole server: a fast shutdown, an immediate shutdown, or a crash. */
export type ServerSignal = "SIGINT" | "SIGQUIT" | "SIGKILL";

/** A real Postgres that is restarted whenever it ends. */
export interface PostgresServer {
  /** The current URL. Each start has a new port. */
  readonly url: () => string;
  /** Ends the server, and returns when the next one accepts connections. */
  readonly restart: (signal: ServerSignal) => Promise<void>;
  /** Returns when a server runs. */
  readonly started: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** The pause before the next try if a server cannot start, for example because the disk is full. */
const RETRY_MS = 500;

export const startPostgresServer = async (
  options: PostgresServerOptions,
): Promise<PostgresServer> => {
  const state = { closing: false };
  let running: EmbeddedPostgres | undefined;
  let url = "";
  let starting: Promise<void>;

  const start = async (): Promise<void> => {
    const server = await startEmbeddedPostgres(options);
    running = server;
    url = server.url;
    options.onPort(Number(new URL(url).port));
    void watch(server);
  };
  const watch = async (server: EmbeddedPostgres): Promise<void> => {
    await server.exited;
    running = undefined;
    if (!state.closing) starting = startAgain();
  };
  const startAgain = async (): Promise<void> => {
    while (!state.closing) {
      try {
        await start();
        return;
      } catch {
        await delay(RETRY_MS);
      }
    }
  };

  await (starting = start());
  return {
    url: () => url,
    restart: async (signal) => {
      const server = running;
      if (server !== undefined) {
        process.kill(server.pid, signal);
        await server.exited;
      }
      await starting;
    },
    started: () => starting,
    close: async () => {
      state.closing = true;
      await starting.catch(() => {});
      await running?.stop();
    },
  };
};
