import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** What of V8's CPU profile is read here. Times are in microseconds. */
interface CpuProfile {
  readonly nodes: ReadonlyArray<{
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
    readonly children?: ReadonlyArray<number>;
  }>;
  readonly samples: ReadonlyArray<number>;
  readonly timeDeltas: ReadonlyArray<number>;
}

/** The parts of a process that its time goes to, by where the code is; the first that fits. */
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

/**
 * How the busy time of the process that left its profile in a folder divides into parts, as shares of 1. What is native or Node's
 * own goes to whoever called it.
 */
export const sharesIn = async (folder: string): Promise<ReadonlyMap<string, number>> => {
  const [file] = (await readdir(folder)).filter((name) => name.endsWith(".cpuprofile"));
  if (file === undefined) throw new Error(`there is no CPU profile in ${folder}`);
  const profile = JSON.parse(await readFile(join(folder, file), "utf8")) as CpuProfile;
  const parts = partsOf(profile);
  const times = new Map<string, number>();
  let busy = 0;
  for (const [i, id] of profile.samples.entries()) {
    const part = parts.get(id);
    if (part === undefined) continue;
    const time = profile.timeDeltas[i] ?? 0;
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
