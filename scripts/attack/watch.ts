import { setTimeout as delay } from "node:timers/promises";

import { makeHttpClient } from "../testbed/http_client.ts";
import { answerOf, openLoop } from "./honest.ts";
import type { Sample } from "./samples.ts";

/** Probes the service as an orchestrator does. */
export interface Watch {
  readonly readyz: ReadonlyArray<Sample>;
  readonly healthz: ReadonlyArray<Sample>;
  readonly stop: () => Promise<void>;
}

const PROBES_PER_SECOND = 2;
const TIMEOUT_MS = 15_000;

/** Probes twice a second, each time on a new connection. */
export const startWatch = (url: string): Watch => {
  const client = makeHttpClient(TIMEOUT_MS, { keepAlive: false });
  const samplesOf = (path: string) => {
    const samples: Sample[] = [];
    const loop = openLoop(PROBES_PER_SECOND, async (_, dueAt) => {
      const outcome = await client.get(`${url}${path}`);
      samples.push({ dueAt, tookMs: performance.now() - dueAt, answer: answerOf(outcome) });
    });
    return { samples, loop };
  };
  const readyz = samplesOf("/readyz");
  const healthz = samplesOf("/healthz");
  return {
    readyz: readyz.samples,
    healthz: healthz.samples,
    stop: async () => {
      await Promise.all([readyz.loop.stop(), healthz.loop.stop()]);
      client.close();
    },
  };
};

const ASK_EVERY_MS = 200;

/** Longer than the service accepts known keys while its database is unavailable. */
const TRIED_FOR_MS = 70_000;

export interface RevokedKey {
  readonly url: string;
  readonly key: string;
  /** A path that the key may read. */
  readonly path: string;
  readonly revoke: () => Promise<void>;
  /** Aborted when the service has ended. */
  readonly signal: AbortSignal;
  /** How long to wait for the refusal, in milliseconds. */
  readonly triedForMs?: number;
}

/**
 * Uses a key, revokes it, and uses it until it is refused. Returns the milliseconds from the revocation until the first
 * request that was answered 401 and after which none was accepted; undefined if there is none.
 */
export const revokeAndUse = async (options: RevokedKey): Promise<number | undefined> => {
  const { url, key, path, revoke, signal, triedForMs = TRIED_FOR_MS } = options;
  const client = makeHttpClient(TIMEOUT_MS, { headers: { Authorization: `Bearer ${key}` } });
  try {
    // Puts the key into the cache of the service.
    await client.get(`${url}${path}`);
    await revoke();
    const revokedAt = performance.now();
    const refusedAt: number[] = [];
    let acceptedAt = 0;
    const pending = new Set<Promise<void>>();
    const askOnce = async (): Promise<void> => {
      const sentAt = performance.now();
      const answer = answerOf(await client.get(`${url}${path}`));
      if (answer === 401) refusedAt.push(sentAt);
      if (answer === 200) acceptedAt = Math.max(acceptedAt, sentAt);
    };
    // Concurrently, because a request that hangs must not hide another one that is accepted.
    while (
      !signal.aborted &&
      performance.now() - revokedAt < triedForMs &&
      !refusedAt.some((at) => at > acceptedAt)
    ) {
      const one = askOnce().finally(() => pending.delete(one));
      pending.add(one);
      await delay(ASK_EVERY_MS);
    }
    await Promise.all(pending);
    const first = refusedAt.filter((at) => at > acceptedAt);
    return first.length === 0 ? undefined : Math.min(...first) - revokedAt;
  } finally {
    client.close();
  }
};
