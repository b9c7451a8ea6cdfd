import { setTimeout as delay } from "node:timers/promises";

import pg from "pg";

import type { Backends } from "./backends.ts";
import {
  DatabaseReadOnly,
  DatabaseReplaced,
  isLockTimeout,
  isStatementTimeout,
  isTooManyConnections,
} from "./errors.ts";
import { settingsOnConnect } from "./session.ts";
import { SessionClient } from "./session_client.ts";
import type { Timelines } from "./timelines.ts";

export interface StatementPoolOptions extends pg.PoolConfig {
  /** The most connections open at once. */
  readonly max: number;
  /** How long to wait for the answer to a statement before it is given up, in milliseconds. */
  readonly answerTimeoutMs: number;
  /** Asks the server about statements that were given up. */
  readonly backends: Backends;
  /** Shared by all pools of a process that lead to the same database. */
  readonly timelines: Timelines;
  /** For how long a connection is used at least and at most, in milliseconds; 40 to 60 s unless given. */
  readonly lifetimeMs?: readonly [number, number];
  /** A clock that is never set, in milliseconds. */
  readonly now?: () => number;
}

/** How long to wait before the server is asked what became of a given up statement, at first and at most. */
const LET_GO_MS_MIN = 250;
const LET_GO_MS_MAX = 5_000;

/** A backend that was seen idle so often in a row has answered, and the answer was lost on the way. */
const IDLE_LOOKS = 2;

/**
 * How long a connection is used: after a failover one may still lead to the server that was, and nothing older than a
 * minute is ever given. Each has a lifetime of its own between the two, so that they are not opened anew together.
 */
const LIFETIME_MS = [40_000, 60_000] as const;

/** How long no new connection is opened after one that is not used: each costs a server a log-in. */
const WRITABLE_AGAIN_MS = 250;

/** How long a pool makes do with the connections that it has, old ones included, after the server refused it another one. */
const GROW_AGAIN_MS = 5_000;

/**
 * A pool of connections, none of which leads to a database that takes no writes or was replaced: reads would be of the past
 * there, and be given as of now. It counts what it gave up: a connection whose statement nobody waits for any more stays
 * taken until the server has let go of the statement. Otherwise each timeout would leave a backend behind that still
 * runs (say, one that waits for a hung commit) and open another one, beyond every bound.
 *
 * Use `run` for single statements. What is done on a client of `connect` has no timeout but the server's.
 */
export class StatementPool extends pg.Pool {
  readonly #now: () => number;
  /** When each open connection is too old. */
  readonly #oldAt = new Map<pg.PoolClient, number>();
  readonly #connectionsMin: number;
  readonly #connectionsMax: number;
  /** How many there may be now: fewer after the server refused one. */
  #connectionsNow: number;
  /** How many are being opened besides, in the place of old ones. */
  #replacing = 0;
  readonly #answerTimeoutMs: number;
  readonly #backends: Backends;
  readonly #timelines: Timelines;
  readonly #closing = new AbortController();
  #givenUp = 0;
  #hung = 0;
  /** When each statement that somebody waits for was asked, in this order. */
  readonly #asked = new Set<{ readonly at: number }>();
  #answeredAt = Number.NEGATIVE_INFINITY;
  #refused: { readonly error: Error; readonly until: number } | undefined;

  constructor({
    answerTimeoutMs,
    backends,
    timelines,
    lifetimeMs = LIFETIME_MS,
    now,
    ...config
  }: StatementPoolOptions) {
    // The types of `pg-pool` do not know these two.
    const unknown = { Client: SessionClient, verify: verifyWith(timelines) } as object;
    super({ ...config, ...unknown });
    this.#now = now ?? (() => performance.now());
    this.#connectionsMin = config.min ?? 0;
    this.#connectionsMax = this.#connectionsNow = config.max;
    this.#answerTimeoutMs = answerTimeoutMs;
    this.#backends = backends;
    this.#timelines = timelines;
    Object.defineProperty(this.options, "max", {
      get: () => this.#connectionsNow + this.#replacing,
    });
    this.on("connect", (client: pg.PoolClient) => {
      this.#oldAt.set(client, this.#now() + between(lifetimeMs));
      client.once("end", () => this.#oldAt.delete(client));
    });
  }

  /** How many connections are taken by statements that nobody waits for any more. */
  get givenUpCount(): number {
    return this.#givenUp;
  }

  /**
   * How many statements were not answered in time although the server still works on them: commits that hang, since
   * it ends by itself what else takes too long.
   */
  get hungCount(): number {
    return this.#hung;
  }

  /** How long a statement may take to be answered, in milliseconds. */
  get answerTimeoutMs(): number {
    return this.#answerTimeoutMs;
  }

  /**
   * How long nothing was answered although something was asked, in milliseconds; 0 while nothing is asked. An error of
   * the server is an answer.
   */
  silentMs(): number {
    const [oldest] = this.#asked;
    if (oldest === undefined) return 0;
    return this.#now() - Math.max(oldest.at, this.#answeredAt);
  }

  /**
   * A connection of a database that takes writes and was not replaced.
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

  async #connectWritable(): Promise<pg.PoolClient> {
    const refused = this.#refused;
    if (refused !== undefined && this.#now() < refused.until) throw refused.error;
    try {
      let client = await super.connect();
      for (;;) {
        // It may have become so since it was opened: the server told with its last answer.
        const isReadOnly = client instanceof SessionClient && client.readOnly !== undefined;
        const isOld = this.#now() >= (this.#oldAt.get(client) ?? Infinity);
        if (!isReadOnly && !isOld) return client;
        if (isReadOnly || this.#oldAt.size > this.#connectionsMin) {
          this.#drop(client);
          client = await super.connect();
        } else client = await this.#replace(client);
      }
    } catch (error) {
      if (error instanceof DatabaseReadOnly || error instanceof DatabaseReplaced) {
        this.#refused = { error, until: this.#now() + WRITABLE_AGAIN_MS };
      }
      throw error;
    }
  }

  /** Ends a connection that is checked out. */
  #drop(client: pg.PoolClient): void {
    this.#oldAt.delete(client);
    client.release(true);
  }

  /**
   * Another connection for an old one, which stays open until then: if it were closed first, somebody else could take its
   * place on a server that has no other. The old one if the server refuses, to be replaced later.
   */
  async #replace(old: pg.PoolClient): Promise<pg.PoolClient> {
    this.#replacing++;
    // Nobody listens to it meanwhile, and an error that nobody hears would end the process.
    old.on("error", ignore);
    try {
      const client = await super.connect();
      this.#drop(old);
      return client;
    } catch (error) {
      if (isTooManyConnections(error)) {
        this.#oldAt.set(old, this.#now() + GROW_AGAIN_MS);
        return old;
      }
      // It may lead to another server than the one that has just failed.
      this.#drop(old);
      throw error;
    } finally {
      old.off("error", ignore);
      this.#replacing--;
    }
  }

  /**
   * Runs one statement on a connection of its own.
   *
   * @param signal is aborted when nobody waits any more: then the statement is cancelled on the server, too
   * @param history of the database, for a statement that builds on what was committed in it (`Timelines`)
   * @throws the error of the server; "… timeout …" when it does not answer in time; the reason of the signal;
   *   DatabaseReplaced if that history is over
   */
  async run<Row extends pg.QueryResultRow>(
    config: pg.QueryConfig<unknown[]>,
    signal?: AbortSignal,
    history?: number,
  ): Promise<pg.QueryResult<Row>> {
    const asked = { at: this.#now() };
    this.#asked.add(asked);
    try {
      return await this.#run<Row>(config, signal, history);
    } finally {
      this.#asked.delete(asked);
    }
  }

  async #run<Row extends pg.QueryResultRow>(
    config: pg.QueryConfig<unknown[]>,
    signal?: AbortSignal,
    history?: number,
  ): Promise<pg.QueryResult<Row>> {
    const client = await this.#checkOut();
    // Only now: to open this connection may have been what showed that the history is over.
    if (history !== undefined && history !== this.#timelines.history()) {
      client.release();
      throw new DatabaseReplaced("another server took the place of the one that this builds on");
    }
    if (signal?.aborted === true) {
      client.release();
      throw signal.reason;
    }
    // A connection that breaks fails its statement as well; without a listener the event would end the process.
    client.on("error", ignore);
    const giveBack = (destroy: boolean): void => {
      client.off("error", ignore);
      client.release(destroy);
    };
    return new Promise((resolve, reject) => {
      let waits = true;
      const settled = client.query<Row>(config).then(
        (result) => {
          this.#answeredAt = this.#now();
          if (!end()) return false;
          giveBack(false);
          resolve(result);
          return false;
        },
        (error: unknown) => {
          const destroy = !isIntact(error, config);
          if (error instanceof pg.DatabaseError) this.#answeredAt = this.#now();
          if (!end()) return destroy;
          giveBack(destroy);
          reject(error);
          return destroy;
        },
      );
      /** Nobody waits from now on; false if nobody did before. */
      const end = (): boolean => {
        if (!waits) return false;
        waits = false;
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        return true;
      };
      const giveUp = (reason: unknown, cancel: boolean): void => {
        if (!end()) return;
        reject(reason);
        void this.#untilLetGo(client, settled, cancel).then(giveBack);
      };
      // Not cancelled: the server ends by itself what runs for too long, so this is a commit, and to break off its
      // wait (for a standby, say) would make others see what may still be lost.
      const onTimeout = (): void => {
        giveUp(new Error(`timeout: no answer within ${this.#answerTimeoutMs} ms`), false);
      };
      const onAbort = (): void => giveUp(signal?.reason, true);
      const timer = setTimeout(onTimeout, this.#answerTimeoutMs);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** Closes all connections: waits for statements that somebody waits for, and leaves the others behind. */
  close(): Promise<void> {
    this.#closing.abort();
    return this.end();
  }

  /** A connection; if the server refuses to open another one, the next of those that there are. */
  async #checkOut(): Promise<pg.PoolClient> {
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

  /**
   * Returns when the server has let go of a statement that was given up.
   *
   * @param settled whether the connection is of no more use, once the statement is answered or the connection broken
   * @returns whether the connection is of no more use
   */
  async #untilLetGo(
    client: pg.PoolClient,
    settled: Promise<boolean>,
    cancel: boolean,
  ): Promise<boolean> {
    const { signal } = this.#closing;
    const pid = pidOf(client);
    this.#givenUp++;
    let isHung = false;
    try {
      let idleLooks = 0;
      for (let waitMs = LET_GO_MS_MIN; !signal.aborted; waitMs = doubled(waitMs)) {
        // Until it was sent, so that it cannot hit the next statement on this connection.
        if (cancel) await this.#backends.cancel(pid);
        const destroy = await Promise.race([settled, pause(waitMs, signal)]);
        if (destroy !== undefined) return destroy;
        const state = await this.#backends.stateOf(pid);
        if (state === "gone") return true;
        if (state === "busy" && !cancel && !isHung) {
          isHung = true;
          this.#hung++;
        }
        idleLooks = state === "idle" ? idleLooks + 1 : 0;
        if (idleLooks >= IDLE_LOOKS) await this.#backends.terminate(pid);
      }
      return true;
    } finally {
      this.#givenUp--;
      if (isHung) this.#hung--;
    }
  }
}

const ignore = (): void => {};

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
    // pg-pool has removed its listener by now, and without one a connection that breaks here would end the process.
    client.on("error", ignore);
    const failure = await prepareSession(client, timelines).then(
      () => undefined,
      (error: Error) => error,
    );
    client.off("error", ignore);
    done(failure);
  };

/** Refuses a new connection whose session is of no use, and sets what could not be named on connecting. */
const prepareSession = async (client: SessionClient, timelines: Timelines): Promise<void> => {
  if (client.readOnly !== undefined) throw client.readOnly;
  const settings = settingsOnConnect(client.reported("server_version"));
  if (settings !== undefined) await client.query(settings);
  await timelines.enter(client);
};

/** Whether a connection can go on after an error: its statement was broken off, and no transaction is open. */
const isIntact = (error: unknown, { values }: pg.QueryConfig<unknown[]>): boolean =>
  values !== undefined && (isStatementTimeout(error) || isLockTimeout(error));

const pidOf = (client: pg.PoolClient): number =>
  (client as unknown as { readonly processID: number }).processID;

const doubled = (ms: number): number => Math.min(2 * ms, LET_GO_MS_MAX);

const pause = (ms: number, signal: AbortSignal): Promise<undefined> =>
  delay(ms, undefined, { signal, ref: false }).catch(() => undefined);
