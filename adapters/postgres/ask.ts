import { makeAskStore } from "../../core/store_failure.ts";
import { diagnose } from "./errors.ts";

/** Makes what a port's adapter asks Postgres with; its failures are of the given class. */
export const asking = makeAskStore(diagnose);
