import type { Arms, Attack, Target } from "../attack.ts";
import { smallEvents } from "../bodies.ts";
import { RARE_TYPE } from "../event_types.ts";
import { converse, get, swarm } from "../tactics.ts";

const DAY_MS = 86_400_000;

/** The longest range of a summary that the service takes. */
const DAYS_MAX = 400;

/** No two ranges are the same, so that no answer of one is kept for another. */
const startedAt = Date.now();
let ranges = 0;
const longRange = (): string => {
  const to = startedAt - ranges++;
  return `from=${new Date(to - DAYS_MAX * DAY_MS).toISOString()}&to=${new Date(to).toISOString()}`;
};

const summary = (target: Target): string =>
  get(target, `/accounts/${target.whale}/summary?${longRange()}&top=100`, target.key);

const timeseries = (target: Target): string =>
  get(target, `/accounts/${target.whale}/timeseries?interval=day&${longRange()}`, target.key);

/** A page of a type that the account has no events of, from anywhere in its past: it looks at as many as it may. */
const rarePage = (target: Target): string =>
  get(
    target,
    `/accounts/${target.whale}/events?limit=1000&type=${RARE_TYPE}&to=${encodeURIComponent(
      new Date(Date.now() - Math.random() * DAYS_MAX * DAY_MS).toISOString(),
    )}`,
    target.key,
  );

const readWhale = (arms: Arms, connections: number, request: (target: Target) => string) =>
  swarm(arms, connections, (wire) => converse(arms, wire, () => request(arms.target)));

/** Attacks with reads: of the database, and of answers that nobody takes. */
export const readingAttacks: ReadonlyArray<Attack> = [
  {
    name: "whale-reads-12",
    about:
      "twelve summaries at once of 400 days of an account with millions of events, each range another",
    run: (arms) => readWhale(arms, 12, summary),
  },
  {
    name: "whale-reads",
    about: "sixty such summaries at once",
    run: (arms) => readWhale(arms, 60, summary),
  },
  {
    name: "whale-activity",
    about:
      "sixty timeseries of 400 days and pages of a type that never occurs at once, of the same account",
    run: async (arms) => {
      await Promise.all([readWhale(arms, 30, timeseries), readWhale(arms, 30, rarePage)]);
    },
  },
  {
    name: "disconnects",
    about: "sixty such reads at once, each left after 20 ms without its answer",
    run: (arms) =>
      swarm(arms, 60, async (wire, index) => {
        await wire.send((index % 2 === 0 ? summary : timeseries)(arms.target));
        await arms.pause(20);
      }),
  },
  {
    name: "slow-readers",
    about: "asks for pages of 1,000 events, twenty on each of 100 connections, and reads none",
    run: (arms) =>
      swarm(arms, 100, async (wire) => {
        wire.stopReading();
        const page = get(
          arms.target,
          `/accounts/${arms.target.whale}/events?limit=1000`,
          arms.target.key,
        );
        await wire.send(page.repeat(20));
        await Promise.race([wire.closed, arms.pause(10_000)]);
      }),
  },
  {
    name: "jobs",
    about: "asks on 30 connections what became of jobs of 1,000 events, and for dead letters",
    run: async (arms) => {
      const ids: string[] = await postJobs(arms);
      const dead = get(arms.target, "/dead-letters?limit=1000", arms.target.key);
      let turn = 0;
      await swarm(arms, 30, (wire) =>
        converse(arms, wire, () => {
          const id = ids[turn++ % ids.length];
          return turn % 10 === 0 || id === undefined
            ? dead
            : get(arms.target, `/jobs/${id}`, arms.target.key);
        }),
      );
    },
  },
  {
    name: "sample",
    about: "asks for samples of 100 accounts on 30 connections",
    run: (arms) => {
      const request = get(arms.target, "/accounts/sample?limit=100", arms.target.key);
      return swarm(arms, 30, (wire) => converse(arms, wire, () => request));
    },
  },
];

const JOBS = 20;

/** Posts a few large batches as any client would; returns the ids of their jobs. */
const postJobs = async ({ target }: Arms): Promise<string[]> => {
  const ids: string[] = [];
  for (let i = 0; i < JOBS; i++) {
    const answer = await fetch(`http://${target.host}:${target.port}/events`, {
      method: "POST",
      headers: { Authorization: `Bearer ${target.key}`, "Content-Type": "application/json" },
      body: smallEvents(1_000, () => `${target.accountPrefix}jobs-${i}`),
    }).catch(() => undefined);
    if (answer?.status === 202) ids.push(((await answer.json()) as { jobId: string }).jobId);
  }
  return ids;
};
