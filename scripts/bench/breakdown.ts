import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";

import pg from "pg";

import { present } from "../../core/invariant.ts";
import { BACKLOG_BOUNDS, type Ingested, measureIngest } from "./measure_ingest.ts";
import type { Case, CaseOptions, Figure } from "./report.ts";
import { withService } from "./with_service.ts";

const LOAD = { eventsPerRequest: 100, clients: 32 };
const SECONDS = 30;

/** The statements of the hot path, by the first pattern that matches their text. */
const STATEMENTS: ReadonlyArray<readonly [part: string, text: RegExp]> = [
  ["appending", /tidemark\.append\(/],
  ["folding", /read_models\.activity_by_type/],
  ["inserting into the queue", /^INSERT INTO tidemark_queue/],
  ["fetching and acknowledging jobs", /tidemark_queue/],
];
const OTHER_STATEMENTS = "polling backlogs and checkpoints";

/** The processor time of an event, from the request until it is counted; once, not `runs` times. */
const breakdown = async ({ scale }: CaseOptions): Promise<Figure[]> => {
  const folder = await mkdtemp(join(tmpdir(), "tidemark-profile-"));
  try {
    let statements: ReadonlyMap<string, number> = new Map();
    const env = { ...BACKLOG_BOUNDS, NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${folder}` };
    const ingested = await withService(env, async (service, databaseUrl) => {
      const watching = watchStatements(databaseUrl);
      const measured = await measureIngest([service], databaseUrl, {
        ...LOAD,
        seconds: SECONDS * scale,
      });
      statements = await (await watching).shares();
      return measured;
    });
    return figuresOf(ingested, await sharesIn(folder), statements);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

/** Measures the time of statements; `shares` returns the share of each part, adding up to 1. */
const watchStatements = async (databaseUrl: string) => {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query("create extension pg_stat_statements");
  await client.query("select pg_stat_statements_reset()");
  return {
    shares: async (): Promise<ReadonlyMap<string, number>> => {
      const { rows } = await client.query<{ query: string; ms: number }>(
        `select query, total_exec_time as ms from pg_stat_statements
         where dbid = (select oid from pg_database where datname = current_database())`,
      );
      await client.end();
      const all = rows.reduce((sum, { ms }) => sum + ms, 0);
      const shares = new Map<string, number>();
      for (const { query, ms } of rows) {
        const part = STATEMENTS.find(([, text]) => text.test(query))?.[0] ?? OTHER_STATEMENTS;
        shares.set(part, (shares.get(part) ?? 0) + ms / all);
      }
      return shares;
    },
  };
};

/** The part of V8's CPU profile that is needed. Times are in microseconds. */
interface CpuProfile {
  readonly nodes: ReadonlyArray<{
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
    readonly children?: ReadonlyArray<number>;
  }>;
  readonly samples: ReadonlyArray<number>;
  readonly timeDeltas: ReadonlyArray<number>;
}

/** The parts of a process, by the first pattern that matches the location of the code. */
const PARTS: ReadonlyArray<readonly [part: string, where: RegExp]> = [
  ["parsing and checking events", /\/core\/(command|event|json|access)\//],
  ["the queue", /\/(pg-boss|adapters\/pg_boss|core\/queue)\//],
  ["appending and folding", /\/(adapters\/postgres|core\/log|core\/projection|core\/query)\//],
  ["the protocol of Postgres", /\/node_modules\/pg[^/]*\//],
  ["HTTP", /\/(adapters\/koa|koa|@koa)\/|node:_http|node:internal\/http|node:zlib/],
  ["Effect", /\/node_modules\/effect\//],
];

const GARBAGE = "collecting garbage";
const OTHER = "sockets, timers and the rest";

/** The share of each part in the busy time of a process. Native code counts for its caller. */
const sharesIn = async (folder: string): Promise<ReadonlyMap<string, number>> => {
  const [file] = (await readdir(folder)).filter((name) => name.endsWith(".cpuprofile"));
  if (file === undefined) throw new Error(`There is no CPU profile in ${folder}`);
  const profile = JSON.parse(await readFile(join(folder, file), "utf8")) as CpuProfile;
  const parts = partsOf(profile);
  const times = new Map<string, number>();
  let busy = 0;
  for (const [i, id] of profile.samples.entries()) {
    const part = parts.get(id);
    if (part === undefined) continue;
    const time = present(profile.timeDeltas[i], `sample ${i} has a time`);
    busy += time;
    times.set(part, (times.get(part) ?? 0) + time);
  }
  return new Map([...times].map(([part, time]) => [part, time / busy]));
};

/** The part of each node of the call tree; idle ones have none. */
const partsOf = ({ nodes }: CpuProfile): ReadonlyMap<number, string> => {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parts = new Map<number, string>();
  const visit = (id: number, inherited: string): void => {
    const node = byId.get(id);
    if (node === undefined) return;
    const { functionName, url } = node.callFrame;
    if (functionName === "(idle)") return;
    const own = PARTS.find(([, where]) => where.test(url))?.[0];
    const part = functionName === "(garbage collector)" ? GARBAGE : (own ?? inherited);
    parts.set(id, part);
    for (const child of node.children ?? []) visit(child, part);
  };
  const [root] = nodes;
  if (root !== undefined) visit(root.id, OTHER);
  return parts;
};

const figuresOf = (
  { rate, cost }: Ingested,
  service: ReadonlyMap<string, number>,
  postgres: ReadonlyMap<string, number>,
): Figure[] => {
  const figure = (name: string, value: number, unit = "µs"): Figure => ({
    name,
    unit,
    runs: [value],
  });
  const parts = (owner: string, total: number, shares: ReadonlyMap<string, number>): Figure[] =>
    [...shares]
      .toSorted(([, a], [, b]) => b - a)
      .map(([part, share]) => figure(`${owner}: ${part}`, share * total));
  const available = (availableParallelism() * 1e6) / rate;
  const used = cost.service + cost.postgres + cost.load;
  return [
    figure("accepted and counted", rate, "events/s"),
    figure("processor time that the machine has, an event", available),
    figure("service", cost.service),
    ...parts("service", cost.service, service),
    figure("Postgres", cost.postgres),
    ...parts("Postgres", cost.postgres, postgres),
    figure("load", cost.load),
    figure("unused, or used by others", available - used),
    figure("write-ahead log, an event", cost.walBytes, "bytes"),
  ];
};

export const breakdownCases: ReadonlyArray<Case> = [
  {
    name: "breakdown",
    about: "where the time of an event goes, by part of the service and statement of Postgres",
    run: breakdown,
  },
];
