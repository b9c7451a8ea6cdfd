import pg from "pg";

import { DatabaseReadOnly, DatabaseReplaced, isTooManyConnections } from "./errors.ts";
import { settingsOnConnect } from "./session.ts";
import { SessionClient } from "./session_client.ts";
import type { Timelines } from "./timelines.ts";

export interface SessionPoolOptions extends pg.PoolConfig {
  /** The most open connections. */
  readonly max: number;
  /** Shared by all pools of a process on the same database. */
  readonly timelines: Timelines;
  /** The shortest and longest lifetime of a connection, in milliseconds; default 40 to 60 s. */
  readonly lifetimeMs?: readonly [number, number];
  /** A monotonic clock, in milliseconds. */
  readonly now?: () => number;
}

/**
 * The lifetime of a connection: after a failover it may still lead to the former server, and no
 * answer may be older than a minute. Each connection has its own between the two, so that they are
 * not all replaced at the same time.
 */
const LIFETIME_MS = [40_000, 60_000] as const;

/** How long to open no connection after one was not usable: each costs the server a log-in. */
const WRITABLE_AGAIN_MS = 250;

/** How long a pool uses its connections, old ones included, after the server refused another. */
const GROW_AGAIN_MS = 5_000;

/**
 * A pool whose connections lead to a database that takes writes and was not replaced: reads on any
 * other would be outdated, and be served as current.
 */
export class SessionPool extends pg.Pool {
  protected readonly now: () => number;
  protected readonly timelines: Timelines;
  /** When each open connection expires. */
  readonly #expiresAt = new Map<pg.PoolClient, number>();
  readonly #connectionsMin: number;
  readonly #connectionsMax: number;
  /** The current bound: lower after the server refused a connection. */
  #connectionsNow: number;
  /** How many are being opened in addition, to replace old ones. */
  #replacing = 0;
  #refused: { readonly error: Error; readonly until: number } | undefined;

  constructor({ timelines, lifetimeMs = LIFETIME_MS, now, ...config }: SessionPoolOptions) {
    // The types of `pg-pool` lack these two.
    const untyped = { Client: SessionClient, verify: verifyWith(timelines) } as object;
    super({ ...config, ...untyped });
    this.now = now ?? (() => performance.now());
    this.timelines = timelines;
    this.#connectionsMin = config.min ?? 0;
    this.#connectionsMax = this.#connectionsNow = config.max;
    Object.defineProperty(this.options, "max", {
      get: () => this.#connectionsNow + this.#replacing,
    });
    this.on("connect", (client: pg.PoolClient) => {
      this.#expiresAt.set(client, this.now() + between(lifetimeMs));
      client.once("end", () => this.#expiresAt.delete(client));
    });
  }

  /**
   * A connection to a database that takes writes and was not replaced.
   *
   * @throws DatabaseReadOnly
   * @throws DatabaseReplaced
   */
  override connect(): Promise<pg.PoolClient>;
  override connect(callback: ConnectCallback): void;
  override connect(callback?: ConnectCallback): Promise<pg.PoolClient> | void {
    if (callback === undefined) return this.#connectWritable();
    void this.#connectFor(callback);
  }

  async #connectFor(callback: ConnectCallback): Promise<void> {
    let client: pg.PoolClient;
    try {
      client = await this.#connectWritable();
    } catch (error) {
      callback(error as Error, undefined, ignore);
      return;
    }
    callback(undefined, client, (destroy) => client.release(destroy));
  }

  /** A connection; if the server refuses to open another one, the next one that becomes free. */
  protected async checkOut(): Promise<pg.PoolClient> {
    for (;;) {
      try {
        return await this.connect();
      } catch (error) {
        if (!isTooManyConnections(error) || this.totalCount === 0) throw error;
        this.#connectionsNow = this.totalCount;
        setTimeout(() => (this.#connectionsNow = this.#connectionsMax), GROW_AGAIN_MS).unref();
      }
    }
  }

  async #connectWritable(): Promise<pg.PoolClient> {
    const refused = this.#refused;
    if (refused !== undefined && this.now() < refused.until) throw refused.error;
    try {
      let client = await super.connect();
      for (;;) {
        // It may have become read-only while it was open: the server reports that with its last
        // answer.
        const isReadOnly = client instanceof SessionClient && client.readOnly !== undefined;
        const isOld = this.now() >= (this.#expiresAt.get(client) ?? Infinity);
        if (!isReadOnly && !isOld) return client;
        if (isReadOnly || this.#expiresAt.size > this.#connectionsMin) {
          this.#drop(client);
          client = await super.connect();
        } else client = await this.#replace(client);
      }
    } catch (error) {
      if (error instanceof DatabaseReadOnly || error instanceof DatabaseReplaced) {
        this.#refused = { error, until: this.now() + WRITABLE_AGAIN_MS };
      }
      throw error;
    }
  }

  /** Ends a connection that is checked out. */
  #drop(client: pg.PoolClient): void {
    this.#expiresAt.delete(client);
    client.release(true);
  }

  /**
   * Replaces an old connection, which stays open until the new one is there: if it were closed
   * first, another process could take its slot on a full server. Returns the old one if the server
   * refuses; it is then replaced later.
   */
  async #replace(old: pg.PoolClient): Promise<pg.PoolClient> {
    this.#replacing++;
    // An error without a listener would end the process.
    old.on("error", ignore);
    try {
      const client = await super.connect();
      this.#drop(old);
      return client;
    } catch (error) {
      if (isTooManyConnections(error)) {
        this.#expiresAt.set(old, this.now() + GROW_AGAIN_MS);
        return old;
      }
      // It may lead to a different server than the one that just failed.
      this.#drop(old);
      throw error;
    } finally {
      old.off("error", ignore);
      this.#replacing--;
    }
  }
}

type ConnectCallback = (
  error: Error | undefined,
  client: pg.PoolClient | undefined,
  done: (release?: boolean | Error) => void,
) => void;

const between = ([min, max]: readonly [number, number]): number =>
  min + Math.random() * (max - min);

const verifyWith =
  (timelines: Timelines) =>
  async (client: SessionClient, done: (error?: Error) => void): Promise<void> => {
    // pg-pool has removed its listener, and an error without a listener would end the process.
    client.on("error", ignore);
    const failure = await prepareSession(client, timelines).then(
      () => undefined,
      (error: Error) => error,
    );
    client.off("error", ignore);
    done(failure);
  };

/** Refuses a new connection if it is not usable, and makes the remaining settings. */
const prepareSession = async (client: SessionClient, timelines: Timelines): Promise<void> => {
  if (client.readOnly !== undefined) throw client.readOnly;
  const settings = settingsOnConnect(client.reported("server_version"));
  if (settings !== undefined) await client.query(settings);
  await timelines.enter(client);
};

const ignore = (): void => {};
