import { setTimeout as delay } from "node:timers/promises";

import { hash53 } from "../../core/event/hash.ts";
import { seededRandom } from "../shared/random.ts";
import { drain } from "../testbed/direct_database.ts";
import type { Finding } from "./judge.ts";
import type { LoadFigures } from "./load_generator.ts";
import { examine } from "./oracle.ts";
import { type ReaderFigures, startReader } from "./reader.ts";
import type { Role } from "./role.ts";
import type { Scenario, Scene } from "./scenario.ts";
import type { Stage } from "./stage.ts";

/** The result of a scenario. */
export interface Result {
  readonly name: string;
  readonly kills: number;
  /** Faults other than kills. */
  readonly faults: number;
  /** Distinct events. */
  readonly accepted: number;
  /** Whether the judge ran. Otherwise nothing is known about lost events. */
  readonly judged: boolean;
  readonly lost: number;
  readonly duplicated: number;
  readonly differing: number;
  readonly longestOutageMs: number;
  /** The time from the last fault until everything accepted was counted. */
  readonly recoveryMs: number;
  /** Why it failed; empty if it passed. */
  readonly failures: ReadonlyArray<string>;
  readonly notes: ReadonlyArray<string>;
}

export interface PlayOptions {
  readonly stage: Stage;
  /** Decides the random choices of the scenario, whatever the load does. */
  readonly seed: number;
  readonly budgetMs: number;
  readonly diskFolder?: string | undefined;
  /** Reports the progress now and then. */
  readonly onProgress: (sentence: string) => void;
}

/** How long an aimed kill waits for its moment before it kills anyway. */
const MOMENT_WITHIN_MS = 15_000;

/** Longer than the longest backoff of a job that lost its worker a few times. */
const DRAIN_WITHIN_MS = 180_000;

const PROGRESS_MS = 500;

/** The most failures of a kind that are printed. */
const EXAMPLES_MAX = 5;

/** Plays a scenario under load, waits until everything is counted, and judges the result. */
export const play = async (scenario: Scenario, options: PlayOptions): Promise<Result> => {
  const { stage, seed, budgetMs } = options;
  const random = seededRandom(hash53(`${seed} ${scenario.name}`));
  const { ledger, load, roles } = stage;
  const failures: string[] = [];
  const notes: string[] = [];
  const tally = { kills: 0, faults: 0, aims: 0, met: 0 };
  const others: Role[] = [];
  const acceptedBefore = ledger.acceptedCount();
  let end = performance.now() + budgetMs;
  const leftMs = (): number => Math.max(0, end - performance.now());

  const scene: Scene = {
    ...stage,
    random,
    diskFolder: options.diskFolder,
    another: async (role) => {
      const start = performance.now();
      const other = await stage.another(role);
      others.push(other);
      await other.ready();
      // No fault happened meanwhile.
      end += performance.now() - start;
      return other;
    },
    leftMs,
    repeat: async (strike) => {
      do await strike();
      while (leftMs() > 0);
    },
    rest: async (maxMs) => {
      await delay(Math.min(random() * maxMs, leftMs()));
    },
    killed: () => void tally.kills++,
    broke: () => void tally.faults++,
    killAt: async (role, moment, statement) => {
      const caught = await role.link.catchAt(moment, statement, MOMENT_WITHIN_MS);
      scene.aimed(caught !== undefined);
      const ended = role.kill();
      caught?.cut();
      scene.killed();
      await ended;
    },
    aimed: (met) => {
      tally.aims++;
      if (met) tally.met++;
    },
    note: (sentence) => void notes.push(sentence),
    fail: (sentence) => void failures.push(sentence),
  };

  load.takeFigures();
  load.start(scenario.load);
  const reader = startReader(roles.api.url, ledger, seededRandom(seed));
  const progress = setInterval(() => {
    const left = leftMs() > 0 ? `${Math.ceil(leftMs() / 1_000)} s left` : "recovering";
    const accepted = ledger.acceptedCount() - acceptedBefore;
    options.onProgress(
      `${tally.kills} kills, ${tally.faults} faults, ${accepted} accepted, ${left}`,
    );
  }, PROGRESS_MS);

  let recoveryMs = 0;
  let judged = false;
  let findings: ReadonlyArray<Finding> = [];
  try {
    await scenario.run(scene);
    const faultsEnd = performance.now();
    await load.stop();
    const left = await drain(stage.database, DRAIN_WITHIN_MS);
    if (left !== undefined) {
      throw new Error(`${left} are left ${DRAIN_WITHIN_MS / 1_000} s after the last fault`);
    }
    recoveryMs = performance.now() - faultsEnd;
    await Promise.all(Object.values(roles).map(({ ready }) => ready()));
    await Promise.all(others.map((other) => other.close()));
    findings = await examine(stage);
    judged = true;
  } catch (error) {
    failures.push(error instanceof Error ? error.message : String(error));
    await load.stop();
  } finally {
    clearInterval(progress);
  }
  const seen = load.takeFigures();
  failures.push(
    ...new Set([...Object.values(roles), ...others].flatMap((role) => role.crashes())),
    ...(tally.aims > 0 && tally.met === 0 ? ["it missed every moment that it aimed at"] : []),
    ...failuresOf(scenario, seen, await reader.stop()),
    ...examples(findings),
  );
  const countOf = (kind: Finding["kind"]): number =>
    findings.filter((finding) => finding.kind === kind).length;
  return {
    name: scenario.name,
    kills: tally.kills,
    faults: tally.faults,
    accepted: ledger.acceptedCount() - acceptedBefore,
    judged,
    lost: countOf("lost"),
    duplicated: countOf("duplicated"),
    differing: countOf("differs"),
    longestOutageMs: seen.longestOutageMs,
    recoveryMs,
    failures,
    notes: [...notes, ...notesOf(seen), ...aimNotes(tally)],
  };
};

const failuresOf = (
  { readsNeverFail = false, brokenRequestMaxMs = Number.POSITIVE_INFINITY }: Scenario,
  seen: LoadFigures,
  read: ReaderFigures,
): ReadonlyArray<string> => [
  ...(readsNeverFail && read.failures > 0 ? [`${read.failures} reads failed`] : []),
  ...seen.brokenAfterMs
    .filter((ms) => ms > brokenRequestMaxMs)
    .slice(0, EXAMPLES_MAX)
    .map((ms) => `the connection of a request broke after ${Math.round(ms)} ms`),
  ...seen.wrong.slice(0, EXAMPLES_MAX).map((answer) => `a batch was answered ${answer}`),
  ...(seen.abandoned > 0 ? [`${seen.abandoned} batches were never accepted`] : []),
  ...read.wrong.slice(0, EXAMPLES_MAX),
];

const examples = (findings: ReadonlyArray<Finding>): ReadonlyArray<string> => [
  ...findings.slice(0, EXAMPLES_MAX).map(({ kind, what }) => `${kind}: ${what}`),
  ...(findings.length > EXAMPLES_MAX ? [`and ${findings.length - EXAMPLES_MAX} more`] : []),
];

const notesOf = ({ failures }: LoadFigures): ReadonlyArray<string> => {
  const seen = [...failures].map(([name, count]) => `${name} × ${count}`);
  return seen.length === 0 ? [] : [`retried after ${seen.join(", ")}`];
};

const aimNotes = ({ aims, met }: { aims: number; met: number }): ReadonlyArray<string> =>
  aims === 0 ? [] : [`${met} of ${aims} aims met their moment`];
