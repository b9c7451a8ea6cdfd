import { setTimeout as delay } from "node:timers/promises";

import { makeHttpClient } from "../chaos/http_client.ts";
import { answerOf, openLoop } from "./honest.ts";
import type { Sample } from "./samples.ts";

/** What those who run the service ask: whether it lives and is ready. */
export interface Watch {
  readonly readyz: ReadonlyArray<Sample>;
  readonly healthz: ReadonlyArray<Sample>;
  readonly stop: () => Promise<void>;
}

const PROBES_PER_SECOND = 2;
const TIMEOUT_MS = 15_000;

/** Asks twice a second, each time on a new connection as orchestrators do. */
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

/** Longer than a service goes on with the keys that it knows while its database is away. */
const TRIED_FOR_MS = 70_000;

export interface RevokedKey {
  readonly url: string;
  readonly key: string;
  /** What the key may read. */
  readonly path: string;
  readonly revoke: () => Promise<void>;
  /** Broken off when the service is gone. */
  readonly signal: AbortSignal;
  /** How long it is tried, in milliseconds, before nobody waits for its refusal any more. */
  readonly triedForMs?: number;
}

/**
 * Uses a key, revokes it, and goes on using it until it is refused. Returns the milliseconds from the revocation until
 * the first request was sent that was answered 401 while none that was sent later was let in.
 */
export const revokeAndUse = async (options: RevokedKey): Promise<number | undefined> => {
  const { url, key, path, revoke, signal, triedForMs = TRIED_FOR_MS } = options;
  const client = makeHttpClient(TIMEOUT_MS, { headers: { Authorization: `Bearer ${key}` } });
  try {
    // So that the service has it in memory.
    await client.get(`${url}${path}`);
    await revoke();
    const revokedAt = performance.now();
    const refusedAt: number[] = [];
    let letInAt = 0;
    const pending = new Set<Promise<void>>();
    const askOnce = async (): Promise<void> => {
      const sentAt = performance.now();
      const answer = answerOf(await client.get(`${url}${path}`));
      if (answer === 401) refusedAt.push(sentAt);
      if (answer === 200) letInAt = Math.max(letInAt, sentAt);
    };
    // Not one after the other: a request that hangs must not hide that another is let in.
    while (
      !signal.aborted &&
      performance.now() - revokedAt < triedForMs &&
      !refusedAt.some((at) => at > letInAt)
    ) {
      const one = askOnce().finally(() => pending.delete(one));
      pending.add(one);
      await delay(ASK_EVERY_MS);
    }
    await Promise.all(pending);
    const first = refusedAt.filter((at) => at > letInAt);
    return first.length === 0 ? undefined : Math.min(...first) - revokedAt;
  } finally {
    client.close();
  }
};
