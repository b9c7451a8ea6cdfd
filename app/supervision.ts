import { Effect } from "effect";

import { RECOVERED_AFTER_MS } from "../core/poll.ts";
import { makeFaultReport } from "../core/report_faults.ts";

/**
 * Reports failures of pg-boss's supervisor, which runs by itself and tells of failures only: it works again when it has not
 * failed for `RECOVERED_AFTER_MS`, in which it runs several times.
 *
 * @returns a callback for each failure
 */
export const watchSupervision = Effect.gen(function* () {
  const services = yield* Effect.context();
  const report = yield* makeFaultReport({
    task: "supervision",
    failing: "The queue is not supervised: jobs of workers that are gone wait, and ended jobs stay",
    working: "The queue is supervised again",
    recoveredAfterMs: RECOVERED_AFTER_MS,
  });
  yield* Effect.forkScoped(Effect.forever(Effect.delay(report.worked, RECOVERED_AFTER_MS)));
  return (error: Error): void => {
    Effect.runForkWith(services)(report.failed(error));
  };
});
