import { setTimeout as delay } from "node:timers/promises";

import pg from "pg";

import type { Backends } from "./backends.ts";
import { DatabaseReplaced, isLockTimeout, isStatementTimeout } from "./errors.ts";
import { SessionPool, type SessionPoolOptions } from "./session_pool.ts";

export interface StatementPoolOptions extends SessionPoolOptions {
  /** How long to wait for the answer to a statement before it is given up, in milliseconds. */
  readonly answerTimeoutMs: number;
  /** Cancels and checks statements that were given up. */
  readonly backends: Backends;
}

/** The first and the longest pause between checks of a statement that was given up. */
const CHECK_MS_MIN = 250;
const CHECK_MS_MAX = 5_000;

/** If a backend is seen idle this often in a row, its answer was lost. */
const IDLE_CHECKS = 2;

/**
 * A pool that runs single statements with a timeout, and counts those that it gave up: the
 * connection of such a statement stays checked out until the server has ended the statement.
 * Otherwise each timeout would leave a running backend behind, for example one that waits for a
 * hung commit, and open another one, beyond any bound.
 *
 * Use `run` for single statements. On a client of `connect` only the timeouts of the server apply.
 */
export class StatementPool extends SessionPool {
  /** How long a statement may take to be answered, in milliseconds. */
  readonly answerTimeoutMs: number;
  readonly #backends: Backends;
  readonly #closing = new AbortController();
  #givenUp = 0;
  #hung = 0;
  /** When each unanswered statement was started, in this order. */
  readonly #unanswered = new Set<{ readonly since: number }>();
  #answeredAt = Number.NEGATIVE_INFINITY;

  constructor({ answerTimeoutMs, backends, ...options }: StatementPoolOptions) {
    super(options);
    this.answerTimeoutMs = answerTimeoutMs;
    this.#backends = backends;
  }

  /** How many connections are occupied by statements that were given up. */
  get givenUpCount(): number {
    return this.#givenUp;
  }

  /**
   * How many statements timed out although the server still executes them. These are hung commits,
   * since the server itself ends everything else that takes too long.
   */
  get hungCount(): number {
    return this.#hung;
  }

  /**
   * How long there was no answer although a statement was waiting for one, in milliseconds; 0 if
   * none is. An error of the server is an answer.
   */
  silentMs(): number {
    const [oldest] = this.#unanswered;
    if (oldest === undefined) return 0;
    return this.now() - Math.max(oldest.since, this.#answeredAt);
  }

  /**
   * Runs one statement on a connection of its own.
   *
   * @param signal cancels the statement, on the server as well
   * @param history for a statement that builds on earlier commits: the history that contains them
   *   (`Timelines`)
   * @throws the error of the server; "… timeout …" if it does not answer in time; the reason of the
   *   signal; DatabaseReplaced if that history has ended
   */
  async run<Row extends pg.QueryResultRow>(
    config: pg.QueryConfig<unknown[]>,
    signal?: AbortSignal,
    history?: number,
  ): Promise<pg.QueryResult<Row>> {
    const unanswered = { since: this.now() };
    this.#unanswered.add(unanswered);
    try {
      return await this.#run<Row>(config, signal, history);
    } finally {
      this.#unanswered.delete(unanswered);
    }
  }

  async #run<Row extends pg.QueryResultRow>(
    config: pg.QueryConfig<unknown[]>,
    signal?: AbortSignal,
    history?: number,
  ): Promise<pg.QueryResult<Row>> {
    const client = await this.checkOut();
    // Checked only now: opening this connection may have revealed that the history has ended.
    if (history !== undefined && history !== this.timelines.history()) {
      client.release();
      throw new DatabaseReplaced(
        "another server has replaced the one that this statement builds on",
      );
    }
    if (signal?.aborted === true) {
      client.release();
      throw signal.reason;
    }
    // A connection that breaks also rejects its statement. Without a listener the event would end
    // the process.
    client.on("error", ignore);
    const giveBack = (destroy: boolean): void => {
      client.off("error", ignore);
      client.release(destroy);
    };
    return new Promise((resolve, reject) => {
      let isAwaited = true;
      /** Resolves when the statement has ended; says whether its connection must be closed. */
      const ended = client.query<Row>(config).then(
        (result) => {
          this.#answeredAt = this.now();
          if (!stopWaiting()) return false;
          giveBack(false);
          resolve(result);
          return false;
        },
        (error: unknown) => {
          const destroy = !isIntact(error, config);
          if (error instanceof pg.DatabaseError) this.#answeredAt = this.now();
          if (!stopWaiting()) return destroy;
          giveBack(destroy);
          reject(error);
          return destroy;
        },
      );
      /** Returns false if the statement was given up before. */
      const stopWaiting = (): boolean => {
        if (!isAwaited) return false;
        isAwaited = false;
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        return true;
      };
      const giveUp = (reason: unknown, cancel: boolean): void => {
        if (!stopWaiting()) return;
        reject(reason);
        void this.#untilEnded(client, ended, cancel).then(giveBack);
      };
      // Not cancelled: the server itself ends statements that take too long, so this is a commit.
      // Cancelling its wait, for a standby for example, would make data visible that may still be
      // lost.
      const onTimeout = (): void => {
        giveUp(new Error(`timeout: no answer within ${this.answerTimeoutMs} ms`), false);
      };
      const onAbort = (): void => giveUp(signal?.reason, true);
      const timer = setTimeout(onTimeout, this.answerTimeoutMs);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** Closes all connections: waits for running statements, but not for those that were given up. */
  close(): Promise<void> {
    this.#closing.abort();
    return this.end();
  }

  /**
   * Waits until the server has ended a statement that was given up.
   *
   * @param ended resolves when the statement is answered or the connection broken
   * @returns whether the connection must be closed
   */
  async #untilEnded(
    client: pg.PoolClient,
    ended: Promise<boolean>,
    cancel: boolean,
  ): Promise<boolean> {
    const { signal } = this.#closing;
    const pid = pidOf(client);
    this.#givenUp++;
    let isHung = false;
    try {
      let idleChecks = 0;
      for (let waitMs = CHECK_MS_MIN; !signal.aborted; waitMs = doubled(waitMs)) {
        // Awaited, so that the cancel cannot hit the next statement on this connection.
        if (cancel) await this.#backends.cancel(pid);
        const destroy = await Promise.race([ended, pause(waitMs, signal)]);
        if (destroy !== undefined) return destroy;
        const state = await this.#backends.stateOf(pid);
        if (state === "gone") return true;
        if (state === "busy" && !cancel && !isHung) {
          isHung = true;
          this.#hung++;
        }
        idleChecks = state === "idle" ? idleChecks + 1 : 0;
        if (idleChecks >= IDLE_CHECKS) await this.#backends.terminate(pid);
      }
      return true;
    } finally {
      this.#givenUp--;
      if (isHung) this.#hung--;
    }
  }
}

const ignore = (): void => {};

/** Whether a connection is usable after an error: its statement ended without a transaction. */
const isIntact = (error: unknown, { values }: pg.QueryConfig<unknown[]>): boolean =>
  values !== undefined && (isStatementTimeout(error) || isLockTimeout(error));

const pidOf = (client: pg.PoolClient): number =>
  (client as unknown as { readonly processID: number }).processID;

const doubled = (ms: number): number => Math.min(2 * ms, CHECK_MS_MAX);

const pause = (ms: number, signal: AbortSignal): Promise<undefined> =>
  delay(ms, undefined, { signal, ref: false }).catch(() => undefined);
