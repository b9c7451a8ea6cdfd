import type { SeedOptions } from "../seed/options.ts";
import { eventsOf, runSeed } from "../seed/run_seed.ts";
import { createMigratedDatabase } from "../test/migrated_database.ts";
import type { Case, CaseOptions } from "./case.ts";
import { measureCopy } from "./copy_rows.ts";
import type { Figure } from "./report.ts";

const SHARDS = 8;
const EVENTS = 1_000_000;
const SHARE_MIN = 0.6;

/** How fast `npm run seed` fills and counts a log, against COPY of the same rows into one. */
const seed = async ({ runs, scale, say }: CaseOptions): Promise<Figure[]> => {
  const events = Math.round(EVENTS * scale);
  const options = { events, accounts: 1_000, users: 200, days: 7, whale: 0, seed: 1 };
  const copied: number[] = [];
  const seeded: number[] = [];
  for (let run = 0; run < runs; run++) {
    const rows = eventsOf(options, Date.now() - options.days * DAY_MS);
    copied.push(await measureCopy(events, SHARDS, rows));
    seeded.push(await seedOnce(options));
    say(
      `COPY ${Math.round(copied.at(-1) ?? 0)}, seeded and counted ${Math.round(seeded.at(-1) ?? 0)} events/s`,
    );
  }
  return [
    { name: "COPY of the same rows into the log", unit: "events/s", runs: copied },
    {
      name: "npm run seed, appended and counted",
      unit: "events/s",
      runs: seeded,
      goal: { text: "≥ 50,000 events/s", met: (rate) => rate >= 50_000 },
    },
    {
      name: "npm run seed against COPY",
      unit: "×",
      runs: seeded.map((rate, i) => rate / (copied[i] ?? Number.NaN)),
      goal: { text: `≥ ${SHARE_MIN} ×`, met: (ratio) => ratio >= SHARE_MIN },
    },
  ];
};

const DAY_MS = 86_400_000;

/** Fills a log of its own; in events a second, until all of them are in the read models. */
const seedOnce = async (options: SeedOptions): Promise<number> => {
  const { url, close } = await createMigratedDatabase(SHARDS);
  try {
    const since = performance.now();
    await runSeed({
      url,
      shards: SHARDS,
      options,
      signal: new AbortController().signal,
      onState: () => {},
    });
    return options.events / ((performance.now() - since) / 1_000);
  } finally {
    await close();
  }
};

export const seedCases: ReadonlyArray<Case> = [
  { name: "seed", about: "npm run seed, against COPY of the same rows", run: seed },
];
