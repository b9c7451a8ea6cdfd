/** Follows README.md from top to bottom with a new service. */
import { execFile, spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import {
  makeScratch,
  removeScratch,
} from "../adapters/embedded_postgres/embedded_postgres.fixture.ts";
import { PATIENCE_MS, until } from "../scripts/test/patience.ts";
import { skipSuite } from "../scripts/test/skip.ts";
import { killServices, startService } from "./service_process.fixture.ts";
import { quickStart } from "./welcome.ts";

/** Where the README says that the service listens. */
const README_URL = "http://127.0.0.1:3000";

/** The job id in the README, which readers replace with theirs. */
const README_JOB = "01a20253-aa0c-79c1-b28a-b136a2df5001";

/** Commands that start the service or are for developers. The test does not run them. */
const isForTheReader = (commands: string): boolean => /^npm ci\b/.test(commands);

/**
 * Whether commands change something, so that they cannot be repeated until their output is the one
 * shown.
 */
const isWriting = (commands: string): boolean => / -d |keys -- create/.test(commands);

interface Step {
  readonly commands: string;
  /** The output that the README shows. */
  readonly answer: unknown;
}

const readSteps = async (): Promise<ReadonlyArray<Step>> => {
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
  const blocks = [...readme.matchAll(/^```(sh|json)\n([^]*?)\n```$/gm)].map(
    ([, language, text = ""]) => ({ language, text }),
  );
  return blocks.flatMap(({ language, text }, index) => {
    if (language !== "sh" || isForTheReader(text)) return [];
    const next = blocks[index + 1];
    assert.is(next?.language, "json", `the README does not show what this answers:\n${text}`);
    return [{ commands: text, answer: JSON.parse(next?.text ?? "") as unknown }];
  });
};

/** The same value with a placeholder for each part that differs between runs. */
const shapeOf = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(shapeOf);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, shapeOf(each)]));
  }
  if (typeof value !== "string") return value;
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value)) return "(time)";
  if (/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value)) return "(job)";
  if (/^\d{10}-\d+-\d$/.test(value)) return "(event id)";
  return /^[\w-]{60,}$/.test(value) ? "(cursor)" : value;
};

const run = promisify(execFile);

const checkout = join(import.meta.dirname, "..");

/** Runs commands in an interactive shell such as bash or zsh, and returns their stdout. */
const paste = async (commands: string, env: Readonly<Record<string, string>>): Promise<string> => {
  const { stdout } = await run("bash", ["-ec", commands], {
    cwd: checkout,
    env: { ...process.env, ...env },
  });
  return stdout;
};

/** Avoids midnight in UTC between an event of "today" and its query. */
const awayFromMidnight = async (): Promise<void> => {
  const DAY_MS = 86_400_000;
  const left = DAY_MS - (Date.now() % DAY_MS);
  if (left < 60_000) await sleep(left);
};

interface Context {
  scratch: string;
}

const followReadme = (): void => {
  const test = suite<Context>("the README");

  test.before(async (context) => {
    context.scratch = await makeScratch();
  });
  test.after.each(killServices);
  test.after(async ({ scratch }) => {
    await removeScratch(scratch, join(scratch, "data"));
  });

  test("its quick start is the one that the service prints", async () => {
    const steps = await readSteps();
    const commands = quickStart({ url: README_URL, type: "login", needsKey: false });
    assert.equal(
      steps.slice(0, commands.length).map((step) => step.commands),
      commands,
    );
  });

  test("every command works, and prints what the README shows", async ({ scratch }) => {
    await awayFromMidnight();
    const env = { DATA_DIR: join(scratch, "data") };
    const service = startService(env);
    const url = await service.url();
    const steps = await readSteps();
    assert.ok(steps.length >= 8, `${steps.length} steps`);
    let job = README_JOB;
    for (const { commands, answer } of steps) {
      const mine = commands.replaceAll(README_URL, url).replaceAll(README_JOB, job);
      let printed = await paste(mine, env);
      // Accepted events show within a second: queries are repeated until then, writes are not.
      const isShown = () =>
        JSON.stringify(shapeOf(JSON.parse(printed))) === JSON.stringify(shapeOf(answer));
      if (!isWriting(commands)) {
        const deadline = performance.now() + PATIENCE_MS;
        while (!isShown() && performance.now() < deadline) printed = await paste(mine, env);
      }
      const got = JSON.parse(printed) as { readonly jobId?: string };
      assert.equal(shapeOf(got), shapeOf(answer), commands);
      job = got.jobId ?? job;
    }
    assert.is(await service.stop(), 0);
  });

  test("the printed commands work as they are, with and without keys", async ({ scratch }) => {
    // The last step of the README created a key.
    const env = { DATA_DIR: join(scratch, "data"), LOG_FORMAT: "pretty" };
    const service = startService(env);
    await service.url();
    await service.prints(/summary\?window=last_24h'.*\n/);
    const commands = service.output().match(/^ {2}(?:KEY=|curl ).*$/gm) ?? [];
    assert.is(commands.length, 3);
    const [create = "", post = "", get = ""] = commands;
    // As in one shell session, which keeps the variable. Events differ even within one second.
    const answers = await paste([create, post, "echo", post, "echo", get].join("\n"), env);
    const [first = "", second = "", summary = ""] = answers.trim().split("\n");
    for (const accepted of [first, second]) {
      assert.is((JSON.parse(accepted) as { statusCode: number }).statusCode, 202);
    }
    assert.is((JSON.parse(summary) as { account_id: string }).account_id, "acme");
    const again = async (): Promise<boolean> => {
      const { totals } = JSON.parse(await paste(`${create}\n${get}`, env)) as {
        totals: Readonly<Record<string, number>>;
      };
      return totals["login"] === 3;
    };
    await until(again, "the events did not show");
    assert.is(await service.stop(), 0);
  });

  test.run();
};

const missing = ["bash", "curl"].find((name) => spawnSync(name, ["--version"]).error !== undefined);
if (missing === undefined) followReadme();
else skipSuite("the README", `there is no ${missing}, which its commands need: install it`);
