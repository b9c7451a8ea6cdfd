import { parseArgs } from "node:util";

import { setup } from "../test/setup.ts";
import { benchReads } from "./reads.ts";
import { type Figure, report } from "./report.ts";

const USAGE = `Usage: npm run bench -- reads [--runs N] [--scale F] [--json FILE]

Starts a Postgres and the processes that it needs, measures each case several times in turn with its
reference, and prints medians. Run it on a machine that does nothing else.

  reads       hot and uncached summaries; fills logs of up to 20 million events, which takes a while
  --runs N    how often each case is measured (default 5)
  --scale F   a share of the events, for a quick look (default 1); goals are for 1
  --json FILE where the figures go as JSON (default bench.json)
`;

const BENCHES: ReadonlyMap<string, (runs: number, scale: number) => Promise<Figure[]>> = new Map([
  ["reads", benchReads],
]);

const main = async (): Promise<number> => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      runs: { type: "string", default: "5" },
      scale: { type: "string", default: "1" },
      json: { type: "string", default: "bench.json" },
      help: { type: "boolean", default: false },
    },
  });
  const bench = BENCHES.get(positionals[0] ?? "");
  if (values.help || bench === undefined) {
    process.stdout.write(USAGE);
    return values.help ? 0 : 2;
  }
  const { env, teardown } = await setup();
  Object.assign(process.env, env);
  try {
    await report(await bench(Number(values.runs), Number(values.scale)), values.json);
  } finally {
    await teardown();
  }
  return 0;
};

process.exitCode = await main();
