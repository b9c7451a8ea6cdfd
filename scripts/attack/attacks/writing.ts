import { inTurn } from "../../testbed/choose.ts";
import type { Attack } from "../attack.ts";
import { bodyOf, newId, smallEvents } from "../bodies.ts";
import { converse, post, swarm } from "../tactics.ts";

const ACCOUNTS = 100_000;

/** The most events of a request. */
const EVENTS_MAX = 1_000;

/** How many bodies are prepared where the same are sent repeatedly. */
const PREPARED = 8;

/** Attacks with valid batches. */
export const writingAttacks: ReadonlyArray<Attack> = [
  {
    name: "flood",
    about: "new events of one account, 1,000 a request, as fast as possible on 16 connections",
    run: (arms) =>
      swarm(arms, 16, (wire) =>
        converse(arms, wire, () =>
          post(
            arms.target,
            Buffer.from(smallEvents(EVENTS_MAX, () => `${arms.target.accountPrefix}flood`)),
          ),
        ),
      ),
  },
  {
    name: "many-accounts",
    about: "the same for 100,000 random accounts",
    run: (arms) =>
      swarm(arms, 16, (wire) =>
        converse(arms, wire, () =>
          post(
            arms.target,
            Buffer.from(
              smallEvents(
                EVENTS_MAX,
                () => `${arms.target.accountPrefix}${Math.floor(Math.random() * ACCOUNTS)}`,
              ),
            ),
          ),
        ),
      ),
  },
  {
    name: "one-event-posts",
    about: "new events, one a request, on 100 connections",
    run: (arms) =>
      swarm(arms, 100, (wire) =>
        converse(arms, wire, () =>
          post(arms.target, Buffer.from(smallEvents(1, () => `${arms.target.accountPrefix}ones`))),
        ),
      ),
  },
  {
    name: "duplicates",
    about: "the same batches of 1,000 events repeatedly, on 16 connections",
    run: (arms) => {
      const requests = Array.from({ length: PREPARED }, () =>
        post(
          arms.target,
          Buffer.from(smallEvents(EVENTS_MAX, () => `${arms.target.accountPrefix}again`)),
        ),
      );
      let turn = 0;
      return swarm(arms, 16, (wire) => converse(arms, wire, () => inTurn(requests, turn++)));
    },
  },
  {
    name: "conflicts",
    about: "the same 1,000 ids repeatedly, each time with other events, on 16 connections",
    run: (arms) => {
      const account = `${arms.target.accountPrefix}conflict`;
      const ids = Array.from({ length: EVENTS_MAX }, newId);
      const requests = Array.from({ length: PREPARED }, (_, n) =>
        post(
          arms.target,
          Buffer.from(bodyOf(ids.map((id) => ({ account, id, metadata: `{"n":${n}}` })))),
        ),
      );
      let turn = 0;
      return swarm(arms, 16, (wire) => converse(arms, wire, () => inTurn(requests, turn++)));
    },
  },
  {
    name: "refused-batches",
    about: "batches of 1,000 events for an account with a quota of 100 a minute, on 16 connections",
    run: (arms) => {
      const body = smallEvents(EVENTS_MAX, () => arms.target.smallQuotaAccount);
      const request = post(arms.target, Buffer.from(body));
      return swarm(arms, 16, (wire) => converse(arms, wire, () => request));
    },
  },
];
