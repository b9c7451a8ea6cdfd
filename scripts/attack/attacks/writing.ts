import { inTurn } from "../../testbed/choose.ts";
import type { Attack, Target } from "../attack.ts";
import { bodyOf, newId, smallEvents } from "../bodies.ts";
import { converse, post } from "../tactics.ts";

const ACCOUNTS = 100_000;

/** The most events of a request. */
const EVENTS_MAX = 1_000;

/** How many requests are prepared where the same are sent repeatedly. */
const PREPARED = 8;

const postNew = (target: Target, count: number, account: () => string | number): Buffer =>
  post(
    target,
    smallEvents(count, () => `${target.accountPrefix}${account()}`),
  );

/** Attacks with valid batches. */
export const writingAttacks: ReadonlyArray<Attack> = [
  {
    name: "flood",
    about: "new events of one account, 1,000 a request, as fast as possible on 16 connections",
    run: (arms) => converse(arms, 16, () => postNew(arms.target, EVENTS_MAX, () => "flood")),
  },
  {
    name: "many-accounts",
    about: "the same for 100,000 random accounts",
    run: (arms) => {
      const account = (): number => Math.floor(Math.random() * ACCOUNTS);
      return converse(arms, 16, () => postNew(arms.target, EVENTS_MAX, account));
    },
  },
  {
    name: "one-event-posts",
    about: "new events, one a request, on 100 connections",
    run: (arms) => converse(arms, 100, () => postNew(arms.target, 1, () => "ones")),
  },
  {
    name: "duplicates",
    about: "the same batches of 1,000 events repeatedly, on 16 connections",
    run: (arms) => {
      const requests = Array.from({ length: PREPARED }, () =>
        postNew(arms.target, EVENTS_MAX, () => "again"),
      );
      let turn = 0;
      return converse(arms, 16, () => inTurn(requests, turn++));
    },
  },
  {
    name: "conflicts",
    about: "the same 1,000 ids repeatedly, each time with other events, on 16 connections",
    run: (arms) => {
      const account = `${arms.target.accountPrefix}conflict`;
      const ids = Array.from({ length: EVENTS_MAX }, newId);
      const requests = Array.from({ length: PREPARED }, (_, n) =>
        post(arms.target, bodyOf(ids.map((id) => ({ account, id, metadata: `{"n":${n}}` })))),
      );
      let turn = 0;
      return converse(arms, 16, () => inTurn(requests, turn++));
    },
  },
  {
    name: "refused-batches",
    about: "batches of 1,000 events for an account with a quota of 100 a minute, on 16 connections",
    run: (arms) => {
      const { target } = arms;
      const request = post(
        target,
        smallEvents(EVENTS_MAX, () => target.smallQuotaAccount),
      );
      return converse(arms, 16, () => request);
    },
  },
];
