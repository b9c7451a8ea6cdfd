import type { Scenario } from "../scenario.ts";
import { acceptedIsDurable } from "./accepted_is_durable.ts";
import { appendedJobCountsOnce } from "./appended_job_counts_once.ts";
import { brokenLinkLosesNothing } from "./broken_link_loses_nothing.ts";
import { brokenRedisLinkCostsNothing } from "./broken_redis_link_costs_nothing.ts";
import { clocksMayDisagree } from "./clocks_may_disagree.ts";
import { crashedBackendLosesNothing } from "./crashed_backend_loses_nothing.ts";
import { databaseRestartLosesNothing } from "./database_restart_loses_nothing.ts";
import { foldAndCheckpointAreOne } from "./fold_and_checkpoint_are_one.ts";
import { frozenProjectorIsPassed } from "./frozen_projector_is_passed.ts";
import { frozenWorkerIsFenced } from "./frozen_worker_is_fenced.ts";
import { fullDiskRefuses } from "./full_disk_refuses.ts";
import { hungCommitLeaksNothing } from "./hung_commit_leaks_nothing.ts";
import { lostSessionLosesNothing } from "./lost_session_loses_nothing.ts";
import { oneTenantCannotStarve } from "./one_tenant_cannot_starve.ts";
import { openAppendHoldsItsShard } from "./open_append_holds_its_shard.ts";
import { overloadRefuses } from "./overload_refuses.ts";
import { poisonEventIsSkipped } from "./poison_event_is_skipped.ts";
import { poisonJobStandsAlone } from "./poison_job_stands_alone.ts";
import { projectorsTakeTurns } from "./projectors_take_turns.ts";
import { redisIsDispensable } from "./redis_is_dispensable.ts";
import { rollingRestartDropsNothing } from "./rolling_restart_drops_nothing.ts";
import { sameBatchCountsOnce } from "./same_batch_counts_once.ts";
import { unappendedJobReturns } from "./unappended_job_returns.ts";

/** Every scenario, in the order in which they are played: along the path of an event, then across it. */
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
