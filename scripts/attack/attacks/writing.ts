import type { Attack } from "../attack.ts";
import { bodyOf, newId, smallEvents } from "../bodies.ts";
import { converse, post, swarm } from "../tactics.ts";

const ACCOUNTS = 100_000;

/** The most events of a request. */
const EVENTS_MAX = 1_000;

/** How many bodies are made ahead where the same is sent again and again. */
const PREPARED = 8;

/** Attacks with valid batches. */
export const writingAttacks: ReadonlyArray<Attack> = [
  {
    name: "flood",
    about:
      "new events of one account, 1,000 a request, on 16 connections, as fast as they are taken",
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
    about: "the same over 100,000 accounts at random",
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
    about: "the same batches of 1,000 events over and over, on 16 connections",
    run: (arms) => {
      const requests = Array.from({ length: PREPARED }, () =>
        post(
          arms.target,
          Buffer.from(smallEvents(EVENTS_MAX, () => `${arms.target.accountPrefix}again`)),
        ),
      );
      let turn = 0;
      return swarm(arms, 16, (wire) =>
        converse(arms, wire, () => requests[turn++ % PREPARED] ?? ""),
      );
    },
  },
  {
    name: "conflicts",
    about: "the same 1,000 ids over and over, each time of another event, on 16 connections",
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
      return swarm(arms, 16, (wire) =>
        converse(arms, wire, () => requests[turn++ % PREPARED] ?? ""),
      );
    },
  },
  {
    name: "refused-batches",
    about: "batches of 1,000 events of an account whose quota is 100 a minute, on 16 connections",
    run: (arms) => {
      const body = smallEvents(EVENTS_MAX, () => arms.target.smallQuotaAccount);
      const request = post(arms.target, Buffer.from(body));
      return swarm(arms, 16, (wire) => converse(arms, wire, () => request));
    },
  },
];
