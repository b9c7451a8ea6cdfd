import { setTimeout as delay } from "node:timers/promises";

import { hash53 } from "../../core/event/hash.ts";
import { seededRandom } from "../shared/random.ts";
import { drain } from "./drain.ts";
import type { Finding } from "./judge.ts";
import type { LoadFigures } from "./load_generator.ts";
import { examine } from "./oracle.ts";
import { makeReader, type ReaderFigures } from "./reader.ts";
import type { Role } from "./role.ts";
import type { Scenario, Scene } from "./scenario.ts";
import type { Stage } from "./stage.ts";

/** How a scenario went. */
export interface Result {
  readonly name: string;
  readonly kills: number;
  /** Faults that killed nothing. */
  readonly faults: number;
  /** Events, each counted once. */
  readonly accepted: number;
  /** Whether it came as far as the judge; if not, nothing is known of what was lost. */
  readonly judged: boolean;
  readonly lost: number;
  readonly duplicated: number;
  readonly differing: number;
  readonly longestOutageMs: number;
  /** From the end of the last fault until everything accepted was counted. */
  readonly recoveryMs: number;
  /** Why it failed; empty if it did not. */
  readonly failures: ReadonlyArray<string>;
  readonly notes: ReadonlyArray<string>;
}

export interface PlayOptions {
  readonly stage: Stage;
  /** What the choices of the scenario follow from, whatever the load does meanwhile. */
  readonly seed: number;
  readonly budgetMs: number;
  readonly diskFolder?: string | undefined;
  /** Told about how far it is, now and then. */
  readonly onProgress: (sentence: string) => void;
}

/** How long an aimed kill waits for its moment before it strikes anyway. */
const MOMENT_WITHIN_MS = 15_000;

const PROGRESS_MS = 500;

/** Of many failures of a kind, so many are told. */
const EXAMPLES_MAX = 5;

/** Plays a scenario under load, lets everything come to rest, and judges. */
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
      // Nothing was broken meanwhile.
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

  const reader = makeReader(roles.api.url, ledger, seededRandom(seed));
  load.takeFigures();
  load.start(scenario.load);
  reader.start();
  const progress = setInterval(() => {
    const left = leftMs() > 0 ? `${Math.ceil(leftMs() / 1_000)} s left` : "coming to rest";
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
    await drain(stage.database);
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
    ...(tally.aims > 0 && tally.met === 0 ? ["it never met the moment that it aims at"] : []),
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
  ...(readsNeverFail && read.failures > 0 ? [`${read.failures} reads were not answered`] : []),
  ...seen.brokenAfterMs
    .filter((ms) => ms > brokenRequestMaxMs)
    .slice(0, EXAMPLES_MAX)
    .map((ms) => `a request was broken off after ${Math.round(ms)} ms`),
  ...seen.wrong.slice(0, EXAMPLES_MAX).map((answer) => `a batch was answered ${answer}`),
  ...(seen.abandoned > 0 ? [`${seen.abandoned} batches were never accepted`] : []),
  ...read.wrong.slice(0, EXAMPLES_MAX),
];

const examples = (findings: ReadonlyArray<Finding>): ReadonlyArray<string> => [
  ...findings.slice(0, EXAMPLES_MAX).map(({ kind, what }) => `${kind}: ${what}`),
  ...(findings.length > EXAMPLES_MAX ? [`and ${findings.length - EXAMPLES_MAX} more`] : []),
];

const notesOf = ({ failures }: LoadFigures): ReadonlyArray<string> => {
  const told = [...failures].map(([name, count]) => `${name} × ${count}`);
  return told.length === 0 ? [] : [`sent again after ${told.join(", ")}`];
};

const aimNotes = ({ aims, met }: { aims: number; met: number }): ReadonlyArray<string> =>
  aims === 0 ? [] : [`${met} of ${aims} aimed at a moment met it`];
