import { Context, type Effect } from "effect";

import type { ReadRefused } from "../fair/client_semaphore.ts";
import type { LogUnavailable } from "./event_log.ts";
import type { EventsPage, PageRequest } from "./events_page.ts";

/** A page, and of which state of the log it is. */
export interface AccountEventsPage extends EventsPage {
  /** Only events up to this position are on the page. */
  readonly upTo: number;
  /** Everything recorded before this instant is up to the checkpoint, in milliseconds since the Unix epoch. */
  readonly asOf: number;
}

/**
 * Reads the events of an account as they are in the log, newest first, up to the projector's
 * checkpoint, so that they agree with summaries.
 */
export class AccountEvents extends Context.Service<
  AccountEvents,
  {
    /**
     * One page, exactly as `pageOf` defines it. It costs as much wherever in the list it begins. Pages
     * that are asked for with the `upTo` of the first are together the list of one moment, whatever
     * is appended in the meantime.
     */
    readonly page: (
      accountId: string,
      request: PageRequest,
    ) => Effect.Effect<AccountEventsPage, LogUnavailable | ReadRefused>;
  }
>()("tidemark/log/AccountEvents") {}
