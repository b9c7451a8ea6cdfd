import { setTimeout as delay } from "node:timers/promises";

import pg from "pg";

import type { Backends } from "./backends.ts";
import { isLockTimeout, isStatementTimeout, isTooManyConnections } from "./errors.ts";

export interface StatementPoolOptions extends pg.PoolConfig {
  /** The most connections open at once. */
  readonly max: number;
  /** How long to wait for the answer to a statement before it is given up, in milliseconds. */
  readonly answerTimeoutMs: number;
  /** Asks the server about statements that were given up. */
  readonly backends: Backends;
}

/** How long to wait before the server is asked what became of a given up statement, at first and at most. */
const LET_GO_MS_MIN = 250;
const LET_GO_MS_MAX = 5_000;

/** A backend that was seen idle so often in a row has answered, and the answer was lost on the way. */
const IDLE_LOOKS = 2;

/** How long a pool makes do with the connections that it has, after the server refused it another one. */
const GROW_AGAIN_MS = 5_000;

/**
 * A pool of connections that counts what it gave up: a connection whose statement nobody waits for any more stays
 * taken until the server has let go of the statement. Otherwise each timeout would leave a backend behind that still
 * runs (say, one that waits for a hung commit) and open another one, beyond every bound.
 *
 * Use `run` for single statements. What is done on a client of `connect` has no timeout but the server's.
 */
export class StatementPool extends pg.Pool {
  readonly #connectionsMax: number;
  readonly #answerTimeoutMs: number;
  readonly #backends: Backends;
  readonly #closing = new AbortController();
  #givenUp = 0;

  constructor({ answerTimeoutMs, backends, ...config }: StatementPoolOptions) {
    super(config);
    this.#connectionsMax = config.max;
    this.#answerTimeoutMs = answerTimeoutMs;
    this.#backends = backends;
  }

  /** How many connections are taken by statements that nobody waits for any more. */
  get givenUpCount(): number {
    return this.#givenUp;
  }

  /**
   * Runs one statement on a connection of its own.
   *
   * @param signal is aborted when nobody waits any more: then the statement is cancelled on the server, too
   * @throws the error of the server; "… timeout …" when it does not answer in time; the reason of the signal
   */
  async run<Row extends pg.QueryResultRow>(
    config: pg.QueryConfig<unknown[]>,
    signal?: AbortSignal,
  ): Promise<pg.QueryResult<Row>> {
    const client = await this.#checkOut();
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
          if (!end()) return false;
          giveBack(false);
          resolve(result);
          return false;
        },
        (error: unknown) => {
          const destroy = !isIntact(error, config);
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
        this.options.max = this.totalCount;
        setTimeout(() => (this.options.max = this.#connectionsMax), GROW_AGAIN_MS).unref();
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
    try {
      let idleLooks = 0;
      for (let waitMs = LET_GO_MS_MIN; !signal.aborted; waitMs = doubled(waitMs)) {
        // Until it was sent, so that it cannot hit the next statement on this connection.
        if (cancel) await this.#backends.cancel(pid);
        const destroy = await Promise.race([settled, pause(waitMs, signal)]);
        if (destroy !== undefined) return destroy;
        const state = await this.#backends.stateOf(pid);
        if (state === "gone") return true;
        idleLooks = state === "idle" ? idleLooks + 1 : 0;
        if (idleLooks >= IDLE_LOOKS) await this.#backends.terminate(pid);
      }
      return true;
    } finally {
      this.#givenUp--;
    }
  }
}

const ignore = (): void => {};

/** Whether a connection can go on after an error: its statement was broken off, and no transaction is open. */
const isIntact = (error: unknown, { values }: pg.QueryConfig<unknown[]>): boolean =>
  values !== undefined && (isStatementTimeout(error) || isLockTimeout(error));

const pidOf = (client: pg.PoolClient): number =>
  (client as unknown as { readonly processID: number }).processID;

const doubled = (ms: number): number => Math.min(2 * ms, LET_GO_MS_MAX);

const pause = (ms: number, signal: AbortSignal): Promise<undefined> =>
  delay(ms, undefined, { signal, ref: false }).catch(() => undefined);
