import { writeFile } from "node:fs/promises";

import {
  decimalNumber,
  EXIT_FAILED,
  EXIT_INTERRUPTED,
  type OptionValues,
  runCommandLine,
  shown,
  UsageError,
  wholeNumber,
} from "../../adapters/terminal/command_line.ts";
import { messageOf } from "../../db/errors.ts";
import { assertWritable, describeMachine } from "../bench/report.ts";
import { makeCleanups } from "../chaos/cleanups.ts";
import { hasRedis } from "../chaos/redis_server.ts";
import { makeProgress } from "../terminal/progress.ts";
import type { Mix } from "./attack.ts";
import { ATTACKS, MIX } from "./attacks/all.ts";
import { PROMISES, slower } from "./judge.ts";
import { play, type Result } from "./play.ts";
import { details, tableHead, tableRow } from "./report.ts";
import type { Service } from "./service.ts";
import { buildWorld } from "./world.ts";

/** How much slower a machine of CI may be. */
const CI_FACTOR = 2;

const WHALE_EVENTS = 5_000_000;
const WHALE_EVENTS_MAX = 100_000_000;
const SECONDS = { min: 0.1, max: 3_600 };

const USAGE = `Usage: npm run attack -- [ATTACK...] [options]

Runs the service on a Postgres of its own, attacks it as a client with one key or none would, from another
address of this machine, and judges what other tenants see of it meanwhile: 20 posts of one event and 20
summaries a second that no cache has, probes, and a key that is revoked. Everything stays on this machine.
Exits 1 when a promise is broken (docs/reliability.md says which there are), or when the machine was too busy to
judge times: slow before anybody attacked. Without an ATTACK all are played.

  --seconds N       how long each attack goes on (default 30)
  --calm-seconds N  how long the others are measured before it and after it (default 5)
  --whale-events N  how many events the attacker's large account has (default ${WHALE_EVENTS})
  --mix             plays the attacks at once, as one, instead of one after the other
  --roles-apart     runs api, worker and projector as processes of their own
  --redis           starts a Redis for the service, too
  --ci              every time may be ${CI_FACTOR} times as long, for a machine that others use; what is answered
                    and how much memory is used is judged as ever
  --json FILE       where the figures go as JSON
  --list            names the attacks
  --help            show this text
`;

const OPTIONS = {
  seconds: { type: "string", default: "30" },
  "calm-seconds": { type: "string", default: "5" },
  "whale-events": { type: "string", default: String(WHALE_EVENTS) },
  mix: { type: "boolean", default: false },
  "roles-apart": { type: "boolean", default: false },
  redis: { type: "boolean", default: false },
  ci: { type: "boolean", default: false },
  json: { type: "string" },
  list: { type: "boolean", default: false },
} as const;

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
    throw new UsageError(`There is no attack ${shown(unknown)}; --list names them`);
  }
  if (mix) {
    const parts = named.length === 0 ? MIX.parts : named.filter((name) => name !== MIX.name);
    if (parts.length === 0) throw new UsageError("--mix needs attacks to play at once");
    return [{ ...MIX, parts, share: 1 / Math.min(parts.length, 3) }];
  }
  const single = ATTACKS.map(({ name, about }) => ({ name, about, parts: [name], share: 1 }));
  return [...single, MIX].filter(({ name }) => named.length === 0 || named.includes(name));
};

const main = async (
  values: OptionValues<typeof OPTIONS>,
  positionals: ReadonlyArray<string>,
): Promise<number> => {
  if (values.list) {
    for (const { name, about } of [...ATTACKS, MIX]) {
      process.stdout.write(`${name.padEnd(18)} ${about}\n`);
    }
    return 0;
  }
  const options: Options = {
    attacks: attacksOf(positionals, values.mix),
    seconds: decimalNumber("--seconds", values.seconds, SECONDS),
    calmSeconds: decimalNumber("--calm-seconds", values["calm-seconds"], SECONDS),
    whaleEvents: wholeNumber("--whale-events", values["whale-events"], {
      min: 1,
      max: WHALE_EVENTS_MAX,
    }),
    rolesApart: values["roles-apart"],
    redis: values.redis,
    factor: values.ci ? CI_FACTOR : 1,
    json: values.json,
  };
  if (options.redis && !hasRedis()) {
    throw new UsageError("--redis needs redis-server, which this machine does not have");
  }
  if (options.json !== undefined) await assertWritable(options.json);
  return attack(options);
};

/** More than the processes of a service and the attackers of a mix. */
const PROCESSES_MAX = 64;

const attack = async (options: Options): Promise<number> => {
  const cleanups = makeCleanups();
  const progress = makeProgress(process.stdout);
  process.setMaxListeners(PROCESSES_MAX);
  let interrupted = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      // Who asks a second time does not want to wait.
      if (interrupted) process.exit(EXIT_INTERRUPTED);
      interrupted = true;
      progress.print(`${signal}: stopping everything`);
      void cleanups.run().finally(() => process.exit(EXIT_INTERRUPTED));
    });
  }
  let service: Service | undefined;
  const results: Result[] = [];
  try {
    const world = await buildWorld({
      ...options,
      cleanups,
      keepLogs: () => results.some(hasDied),
      say: progress.print,
    });
    // Undone first: it uses what the world is made of.
    cleanups.add(async () => {
      await service?.stop();
    });
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
      if (interrupted) return await new Promise(() => {});
      results.push(result);
      progress.print([tableRow(result), ...details(result)].join("\n"));
      await write(results, options.json);
    }
    progress.print(
      `\n${describeMachine()}\n\n${[tableHead(), ...results.map(tableRow)].join("\n")}\n`,
    );
    progress.print(conclusion(results));
    return results.every(isWhole) ? 0 : EXIT_FAILED;
  } catch (error) {
    // What fails while everything is being stopped is no finding.
    if (interrupted) return await new Promise(() => {});
    throw error;
  } finally {
    if (!interrupted) await cleanups.run();
  }
};

/** An attack whose times could not be judged has not shown that they hold. */
const isWhole = ({ failures, busy }: Result): boolean => failures.length === 0 && busy.length === 0;

const hasDied = ({ figures }: Result): boolean =>
  figures.processes.some(({ died }) => died !== undefined);

const conclusion = (results: ReadonlyArray<Result>): string => {
  const failed = results.filter(({ failures }) => failures.length > 0);
  const unjudged = results.filter((result) => !isWhole(result) && result.failures.length === 0);
  const names = (of: ReadonlyArray<Result>): string => of.map(({ name }) => name).join(", ");
  return [
    `${results.length - failed.length - unjudged.length} of ${results.length} attacks left every promise whole`,
    ...(failed.length > 0 ? [`broken by: ${names(failed)}`] : []),
    ...(unjudged.length > 0 ? [`this machine was too busy to judge: ${names(unjudged)}`] : []),
  ].join("; ");
};

const write = async (results: ReadonlyArray<Result>, path: string | undefined): Promise<void> => {
  if (path === undefined) return;
  const text = JSON.stringify({ machine: describeMachine(), attacks: results }, null, 2);
  await writeFile(path, `${text}\n`);
};

const code = await runCommandLine({
  usage: USAGE,
  options: OPTIONS,
  run: main,
  explain: messageOf,
});
// What an attack has left open is nothing to wait for.
process.exit(code);
