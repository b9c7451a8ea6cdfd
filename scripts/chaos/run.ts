import { join } from "node:path";

import type { Progress } from "../shared/progress.ts";
import { redisMissing } from "../test/redis_server.ts";
import { type Cleanups, makeCleanups } from "../testbed/cleanups.ts";
import { play, type Result } from "./play.ts";
import { details, tableRow } from "./report.ts";
import type { OwnDisk, Scenario } from "./scenario.ts";
import { mountSmallDisk, smallDiskMissing, unmountSmallDisk } from "./small_disk.ts";
import { buildStage, type Stage } from "./stage.ts";

export interface RunOptions {
  readonly scenarios: ReadonlyArray<Scenario>;
  readonly seed: number;
  /** How long faults happen, over all scenarios. */
  readonly faultsMs: number;
  readonly progress: Progress;
  readonly cleanups: Cleanups;
  readonly interrupted: AbortSignal;
}

interface Built {
  readonly stage: Stage;
  readonly diskFolder: string | undefined;
  /** Tears the stage down. After a failure the logs and the ledger stay. */
  readonly tearDown: (failed: boolean) => Promise<void>;
}

/** Plays scenarios one after another, most of them on a shared stage, and prints the result of each. */
export const runScenarios = async (options: RunOptions): Promise<ReadonlyArray<Result>> => {
  const { scenarios, seed, faultsMs, progress, interrupted } = options;
  const weights = scenarios.reduce((sum, { weight = 1 }) => sum + weight, 0);
  const results: Result[] = [];
  let shared: Built | undefined;

  for (const scenario of scenarios) {
    const { name, weight = 1, ownDisk } = scenario;
    const missing = missingFor(scenario);
    if (missing !== undefined) {
      progress.print(`${name} is skipped: ${missing}`);
      continue;
    }
    progress.show(`${name}: starting`);
    const built =
      ownDisk === undefined ? (shared ??= await build(options)) : await build(options, ownDisk);
    const result = await play(scenario, {
      stage: built.stage,
      seed,
      diskFolder: built.diskFolder,
      budgetMs: (faultsMs * weight) / weights,
      onProgress: (sentence) => {
        progress.show(`${name}: ${sentence}`);
      },
    });
    // The result is of a stage that was being torn down.
    interrupted.throwIfAborted();
    results.push(result);
    progress.print([tableRow(result), ...details(result)].join("\n"));
    const failed = result.failures.length > 0;
    if (!failed && ownDisk === undefined) continue;
    // What failed once would fail the judgement of every later scenario.
    if (failed) progress.print(`    --seed ${seed}; logs and ledger: ${built.stage.folder}`);
    await built.tearDown(failed);
    if (built === shared) shared = undefined;
  }
  progress.show("stopping");
  await shared?.tearDown(false);
  return results;
};

/** Why this machine cannot play a scenario; undefined if it can. */
const missingFor = ({ needs, ownDisk }: Scenario): string | undefined => {
  if (needs === "redis" && redisMissing !== undefined) return redisMissing;
  return ownDisk === undefined ? undefined : smallDiskMissing();
};

const build = async ({ seed, cleanups }: RunOptions, ownDisk?: OwnDisk): Promise<Built> => {
  const own = makeCleanups();
  let failed = false;
  const tearDown = async (asFailed: boolean): Promise<void> => {
    failed = asFailed;
    await own.run();
  };
  cleanups.add(() => tearDown(failed));
  const options = { seed, cleanups: own, keep: () => failed };
  if (ownDisk === undefined) {
    return { stage: await buildStage(options), diskFolder: undefined, tearDown };
  }
  const diskFolder = await mountSmallDisk(ownDisk.megabytes);
  own.add(() => unmountSmallDisk(diskFolder));
  const { postgresSettings } = ownDisk;
  const dataDir = join(diskFolder, "data");
  return {
    stage: await buildStage({ ...options, dataDir, postgresSettings }),
    diskFolder,
    tearDown,
  };
};
