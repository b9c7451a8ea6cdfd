import type { Scenario } from "../scenario.ts";
import {
  crashedBackendLosesNothing,
  databaseRestartLosesNothing,
  fullDiskRefuses,
  lostSessionLosesNothing,
  openAppendHoldsItsShard,
} from "./database.ts";
import { hungCommitLeaksNothing } from "./hung_commit.ts";
import {
  brokenLinkLosesNothing,
  brokenRedisLinkCostsNothing,
  redisIsDispensable,
} from "./network.ts";
import { oneTenantCannotStarve, overloadRefuses } from "./overload.ts";
import { poisonEventIsSkipped, poisonJobStandsAlone } from "./poison.ts";
import { clocksMayDisagree, rollingRestartDropsNothing } from "./processes.ts";
import {
  foldAndCheckpointAreOne,
  frozenProjectorIsPassed,
  projectorsTakeTurns,
} from "./projection.ts";
import {
  acceptedIsDurable,
  appendedJobCountsOnce,
  frozenWorkerIsFenced,
  sameBatchCountsOnce,
  unappendedJobReturns,
} from "./queue.ts";

/** Every scenario, in the order of a run: along the path of an event, then across it. */
export const SCENARIOS: ReadonlyArray<Scenario> = [
  acceptedIsDurable,
  unappendedJobReturns,
  appendedJobCountsOnce,
  frozenWorkerIsFenced,
  sameBatchCountsOnce,
  poisonJobStandsAlone,
  openAppendHoldsItsShard,
  foldAndCheckpointAreOne,
  projectorsTakeTurns,
  frozenProjectorIsPassed,
  poisonEventIsSkipped,
  lostSessionLosesNothing,
  crashedBackendLosesNothing,
  databaseRestartLosesNothing,
  fullDiskRefuses,
  hungCommitLeaksNothing,
  brokenLinkLosesNothing,
  redisIsDispensable,
  brokenRedisLinkCostsNothing,
  clocksMayDisagree,
  rollingRestartDropsNothing,
  overloadRefuses,
  oneTenantCannotStarve,
];
