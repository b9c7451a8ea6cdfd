import { Data, Deferred, Effect } from "effect";

import { Client } from "../access/principal.ts";
import { makeFairPermits, type PermitLimits } from "./permits.ts";

/** The client has too many waiting reads. */
export class TooManyReads extends Data.TaggedError("TooManyReads") {}

/** All clients together have too many waiting reads. */
export class ReadsFull extends Data.TaggedError("ReadsFull") {}

/** Why a read was refused without being tried. */
export type ReadRefused = TooManyReads | ReadsFull;

/** Limits how many reads run at the same time, fair to the `Client` that each fiber works for. */
export interface ClientSemaphore {
  /**
   * Runs a read once its client has a permit. An interrupted read leaves the queue.
   *
   * @errors `TooManyReads`, `ReadsFull`: immediately
   */
  readonly withPermit: <A, E, R>(
    effect: Effect.Effect<A, E, R>,
  ) => Effect.Effect<A, E | ReadRefused, R>;
  /** How many reads are running. */
  readonly held: () => number;
  /** How many reads wait for a permit. */
  readonly waiting: () => number;
}

interface Ticket {
  isHeld: boolean;
  readonly granted: Deferred.Deferred<void>;
}

/** Makes a semaphore that is fair as `FairPermits` defines it. */
export const makeClientSemaphore = (limits: PermitLimits): ClientSemaphore => {
  const fair = makeFairPermits<Ticket>(limits);

  const grant = (ticket: Ticket | undefined): void => {
    if (ticket === undefined) return;
    ticket.isHeld = true;
    Deferred.doneUnsafe(ticket.granted, Effect.void);
  };

  const withPermit = <A, E, R>(
    effect: Effect.Effect<A, E, R>,
  ): Effect.Effect<A, E | ReadRefused, R> =>
    Effect.flatMap(Client, (client) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.suspend((): Effect.Effect<A, E | ReadRefused, R> => {
          const ticket: Ticket = { isHeld: false, granted: Deferred.makeUnsafe() };
          const entry = fair.enter(client, ticket);
          if (entry === "client") return Effect.fail(new TooManyReads());
          if (entry === "all") return Effect.fail(new ReadsFull());
          ticket.isHeld = entry === "held";
          const granted = ticket.isHeld ? Effect.void : restore(Deferred.await(ticket.granted));
          const leave = Effect.sync(() => {
            if (ticket.isHeld) grant(fair.leave(client));
            else fair.withdraw(client, ticket);
          });
          return Effect.ensuring(Effect.andThen(granted, restore(effect)), leave);
        }),
      ),
    );

  return { withPermit, held: fair.held, waiting: fair.waiting };
};
