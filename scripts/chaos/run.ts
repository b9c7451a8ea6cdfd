import { join } from "node:path";

import type { Progress } from "../shared/progress.ts";
import { type Cleanups, makeCleanups } from "./cleanups.ts";
import { play, type Result } from "./play.ts";
import { hasRedis } from "./redis_server.ts";
import { details, tableRow } from "./report.ts";
import type { OwnDisk, Scenario } from "./scenario.ts";
import { mountSmallDisk, smallDiskMissing, unmountSmallDisk } from "./small_disk.ts";
import { buildStage, type Stage } from "./stage.ts";

export interface RunOptions {
  readonly scenarios: ReadonlyArray<Scenario>;
  readonly seed: number;
  /** How long faults go on, in all. */
  readonly faultsMs: number;
  readonly progress: Progress;
  /** Undoes what is up when the run is broken off. */
  readonly cleanups: Cleanups;
  /** Aborted when the run is broken off; what it then finds is no finding. */
  readonly signal: AbortSignal;
}

/** A stage, and where its small disk is if it has one. */
interface Built {
  readonly stage: Stage;
  readonly diskFolder: string | undefined;
  /** Takes it down; of a failed one the logs and the ledger stay. */
  readonly tearDown: (failed: boolean) => Promise<void>;
}

/** Plays scenarios one after the other, most of them on one stage, and prints how each went. */
export const runScenarios = async (options: RunOptions): Promise<ReadonlyArray<Result>> => {
  const { scenarios, seed, faultsMs, progress, signal } = options;
  const weights = scenarios.reduce((sum, { weight = 1 }) => sum + weight, 0);
  const results: Result[] = [];
  let common: Built | undefined;

  for (const scenario of scenarios) {
    const { name, weight = 1, ownDisk } = scenario;
    const missing = missingFor(scenario);
    if (missing !== undefined) {
      progress.print(`${name} is left out: ${missing}`);
      continue;
    }
    progress.show(`${name}: starting`);
    const built =
      ownDisk === undefined ? (common ??= await build(options)) : await build(options, ownDisk);
    const result = await play(scenario, {
      stage: built.stage,
      seed,
      diskFolder: built.diskFolder,
      budgetMs: (faultsMs * weight) / weights,
      onProgress: (sentence) => {
        progress.show(`${name}: ${sentence}`);
      },
    });
    if (signal.aborted) return new Promise(() => {});
    results.push(result);
    progress.print([tableRow(result), ...details(result)].join("\n"));
    const failed = result.failures.length > 0;
    // What failed once would fail every judgement to come.
    if (!failed && ownDisk === undefined) continue;
    if (failed) progress.print(`    --seed ${seed}; logs and ledger: ${built.stage.folder}`);
    await built.tearDown(failed);
    if (built === common) common = undefined;
  }
  progress.show("stopping");
  await common?.tearDown(false);
  return results;
};

/** Why a scenario cannot be played on this machine; undefined where it can. */
const missingFor = ({ needs, ownDisk }: Scenario): string | undefined => {
  if (needs === "redis" && !hasRedis()) return "there is no redis-server on this machine";
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
  if (ownDisk === undefined) {
    const stage = await buildStage({ seed, cleanups: own, keep: () => failed });
    return { stage, diskFolder: undefined, tearDown };
  }
  const diskFolder = await mountSmallDisk(ownDisk.megabytes);
  own.add(() => unmountSmallDisk(diskFolder));
  const stage = await buildStage({
    seed,
    cleanups: own,
    keep: () => failed,
    dataDir: join(diskFolder, "data"),
    postgresSettings: ownDisk.postgresSettings,
  });
  return { stage, diskFolder, tearDown };
};
