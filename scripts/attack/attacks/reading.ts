import { DAY_MS } from "../../../core/time.ts";
import { rangeQuery } from "../../testbed/http_client.ts";
import { type Arms, type Attack, RARE_TYPE, type Target } from "../attack.ts";
import { smallEvents } from "../bodies.ts";
import { converse, get, swarm } from "../tactics.ts";

/** The longest range of a summary. */
const DAYS_MAX = 400;

/** Every range is new, so that no answer is cached. */
const startedAt = Date.now();
let ranges = 0;
const longRange = (): string => {
  const to = startedAt - ranges++;
  return rangeQuery(to - DAYS_MAX * DAY_MS, to);
};

const summary = (target: Target): string =>
  get(target, `/accounts/${target.whale}/summary?${longRange()}&top=100`, target.key);

const timeseries = (target: Target): string =>
  get(target, `/accounts/${target.whale}/timeseries?interval=day&${longRange()}`, target.key);

/** A page of a type without events, from anywhere in the past: the service searches as many events as it may. */
const rarePage = (target: Target): string =>
  get(
    target,
    `/accounts/${target.whale}/events?limit=1000&type=${RARE_TYPE}&to=${encodeURIComponent(
      new Date(Date.now() - Math.random() * DAYS_MAX * DAY_MS).toISOString(),
    )}`,
    target.key,
  );

const readWhale = (arms: Arms, connections: number, request: (target: Target) => string) =>
  converse(arms, connections, () => request(arms.target));

/** Attacks with expensive reads, and with answers that are never received. */
export const readingAttacks: ReadonlyArray<Attack> = [
  {
    name: "whale-reads-12",
    about:
      "twelve concurrent summaries of 400 days of an account with millions of events, each of a new range",
    run: (arms) => readWhale(arms, 12, summary),
  },
  {
    name: "whale-reads",
    about: "sixty such summaries concurrently",
    run: (arms) => readWhale(arms, 60, summary),
  },
  {
    name: "whale-activity",
    about:
      "thirty timeseries of 400 days and thirty pages of a type without events concurrently, of the same account",
    run: async (arms) => {
      await Promise.all([readWhale(arms, 30, timeseries), readWhale(arms, 30, rarePage)]);
    },
  },
  {
    name: "disconnects",
    about: "sixty such reads concurrently, each disconnecting after 20 ms without an answer",
    run: (arms) =>
      swarm(arms, 60, async (wire, index) => {
        await wire.send((index % 2 === 0 ? summary : timeseries)(arms.target));
        await arms.pause(20);
      }),
  },
  {
    name: "slow-readers",
    about: "requests twenty pages of 1,000 events on each of 100 connections, and reads none",
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
    about: "requests the status of jobs with 1,000 events, and dead letters, on 30 connections",
    run: async (arms) => {
      const ids: string[] = await postJobs(arms);
      const dead = get(arms.target, "/dead-letters?limit=1000", arms.target.key);
      let turn = 0;
      await converse(arms, 30, () => {
        const id = ids[turn++ % ids.length];
        return turn % 10 === 0 || id === undefined
          ? dead
          : get(arms.target, `/jobs/${id}`, arms.target.key);
      });
    },
  },
  {
    name: "sample",
    about: "requests samples of 100 accounts, on 30 connections",
    run: (arms) => {
      const request = get(arms.target, "/accounts/sample?limit=100", arms.target.key);
      return converse(arms, 30, () => request);
    },
  },
];

const JOBS = 20;

/** Posts a few large batches, and returns the ids of their jobs. */
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
