import { EVENT_TYPES_DEFAULT } from "../../core/event/rules.ts";

/** A type of which there are no events. */
export const RARE_TYPE = "rare";

/** What the service accepts: that one, too. */
export const EVENT_TYPES: string = [...EVENT_TYPES_DEFAULT, RARE_TYPE].join(",");
