import { writeFile } from "node:fs/promises";

import {
  EXIT_FAILED,
  option,
  runCommand,
  shown,
  UsageError,
} from "../../adapters/terminal/command_line.ts";
import { assertWritable, describeMachine } from "../bench/report.ts";
import { makeProgress } from "../shared/progress.ts";
import { redisMissing } from "../test/redis_server.ts";
import { withCleanups } from "../testbed/cleanups.ts";
import type { Mix } from "./attack.ts";
import { ATTACKS, MIX } from "./attacks/all.ts";
import { PROMISES, slower } from "./judge.ts";
import { play, type Result } from "./play.ts";
import { details, tableHead, tableRow } from "./report.ts";
import type { Service } from "./service.ts";
import { buildWorld } from "./world.ts";

/** By how much times are relaxed on a CI machine. */
const CI_FACTOR = 2;

const WHALE_EVENTS = 5_000_000;
const WHALE_EVENTS_MAX = 100_000_000;
const SECONDS = { min: 0.1, max: 3_600 };

interface Options {
  readonly attacks: ReadonlyArray<Mix>;
  readonly seconds: number;
  readonly calmSeconds: number;
  readonly whaleEvents: number;
  readonly rolesApart: boolean;
  readonly redis: boolean;
  readonly factor: number;
  readonly json: string | undefined;
}

const NAMES: ReadonlyArray<string> = [...ATTACKS.map(({ name }) => name), MIX.name];

const attacksOf = (named: ReadonlyArray<string>, mix: boolean): ReadonlyArray<Mix> => {
  const unknown = named.find((name) => !NAMES.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(`Unknown attack ${shown(unknown)}; --list shows all attacks`);
  }
  if (mix) {
    const parts = named.length === 0 ? MIX.parts : named.filter((name) => name !== MIX.name);
    if (parts.length === 0) throw new UsageError("--mix needs attacks to play at the same time");
    return [{ ...MIX, parts, share: 1 / Math.min(parts.length, 3) }];
  }
  const single = ATTACKS.map(({ name, about }) => ({ name, about, parts: [name], share: 1 }));
  return [...single, MIX].filter(({ name }) => named.length === 0 || named.includes(name));
};

const attack = (options: Options, interrupted: AbortSignal): Promise<number> =>
  withCleanups(interrupted, async (cleanups) => {
    const progress = makeProgress(process.stdout);
    const results: Result[] = [];
    const world = await buildWorld({
      ...options,
      cleanups,
      keepLogs: () => results.some(hasDied),
      say: progress.print,
    });
    let service: Service | undefined;
    cleanups.add(() => service?.stop());
    progress.print(`\n${describeMachine()}\n\n${tableHead()}`);
    for (const each of options.attacks) {
      const result = await play(each, {
        ...options,
        world,
        promises: slower(PROMISES, options.factor),
        onService: (started) => {
          service = started;
        },
        show: progress.show,
      });
      // The result is of a service that was being stopped.
      interrupted.throwIfAborted();
      results.push(result);
      progress.print([tableRow(result), ...details(result)].join("\n"));
      await write(results, options.json);
    }
    progress.print(
      `\n${describeMachine()}\n\n${[tableHead(), ...results.map(tableRow)].join("\n")}\n`,
    );
    progress.print(conclusion(results));
    return results.every(hasPassed) ? 0 : EXIT_FAILED;
  });

/** An attack passes only if its times were judged. */
const hasPassed = ({ failures, busy }: Result): boolean =>
  failures.length === 0 && busy.length === 0;

const hasDied = ({ figures }: Result): boolean =>
  figures.processes.some(({ died }) => died !== undefined);

const conclusion = (results: ReadonlyArray<Result>): string => {
  const failed = results.filter(({ failures }) => failures.length > 0);
  const unjudged = results.filter((result) => !hasPassed(result) && result.failures.length === 0);
  const names = (of: ReadonlyArray<Result>): string => of.map(({ name }) => name).join(", ");
  return [
    `${results.length - failed.length - unjudged.length} of ${results.length} attacks passed`,
    ...(failed.length > 0 ? [`promises broken by: ${names(failed)}`] : []),
    ...(unjudged.length > 0 ? [`the machine was too busy to judge: ${names(unjudged)}`] : []),
  ].join("; ");
};

const write = async (results: ReadonlyArray<Result>, path: string | undefined): Promise<void> => {
  if (path === undefined) return;
  const text = JSON.stringify({ machine: describeMachine(), attacks: results }, null, 2);
  await writeFile(path, `${text}\n`);
};

const code = await runCommand({
  name: "npm run attack",
  about:
    "Runs the service on a Postgres of its own, attacks it from another address of this machine " +
    "as a client with one key or none could, and measures what other tenants observe: 20 posts " +
    "of one event and 20 uncached summaries per second, probes, and a revoked key. Nothing " +
    "leaves this machine. Exits with 1 if a promise is broken (docs/reliability.md lists them), " +
    "or if the machine was too busy to judge latencies.",
  arguments: { "[ATTACK...]": "Attacks to play (default: all)" },
  options: {
    seconds: option.decimal("Duration of each attack", { ...SECONDS, default: 30 }),
    calmSeconds: option.decimal("How long other tenants are measured before and after it", {
      ...SECONDS,
      default: 5,
    }),
    whaleEvents: option.whole("Events of the attacker's large account", {
      min: 1,
      max: WHALE_EVENTS_MAX,
      default: WHALE_EVENTS,
    }),
    mix: option.flag("Play the attacks concurrently, as one"),
    rolesApart: option.flag("Run api, worker and projector in separate processes"),
    redis: option.flag("Also start a Redis for the service"),
    ci: option.flag(
      `Allow ${CI_FACTOR} times the latency, for a shared machine; answers and memory are judged as usual`,
    ),
    json: option.text("FILE", "Where to write the figures as JSON"),
    list: option.flag("List the attacks"),
  },
  run: async ({ mix, ci, list, ...options }, asked, interrupted) => {
    if (list) {
      for (const { name, about } of [...ATTACKS, MIX]) {
        process.stdout.write(`${name.padEnd(18)} ${about}\n`);
      }
      return 0;
    }
    const attacks = attacksOf(asked, mix);
    if (options.redis && redisMissing !== undefined) {
      throw new UsageError(`--redis cannot be used: ${redisMissing}`);
    }
    if (options.json !== undefined) await assertWritable(options.json);
    return attack({ ...options, attacks, factor: ci ? CI_FACTOR : 1 }, interrupted);
  },
  onInterrupt: "stopping everything.",
});
// Connections that an attack left open must not keep the process alive.
process.exit(code);
