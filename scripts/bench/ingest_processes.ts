import { createMigratedDatabase } from "../test/migrated_database.ts";
import type { CaseOptions } from "./case.ts";
import type { Child } from "./child.ts";
import { BACKLOG_BOUNDS, measureIngest } from "./measure_ingest.ts";
import type { Figure } from "./report.ts";
import { SHARDS, startService } from "./with_service.ts";

const SECONDS = 20;
const LOAD = { eventsPerRequest: 100, clients: 32 };

/** The roles of the processes of each deployment; the load goes to the first of them. */
const DEPLOYMENTS: ReadonlyArray<readonly [name: string, roles: ReadonlyArray<string>]> = [
  ["one process with all roles", ["api,worker,projector"]],
  ["an api and a worker with the projector", ["api", "worker,projector"]],
  ["an api, a worker and a projector", ["api", "worker", "projector"]],
  ["an api, two workers and a projector", ["api", "worker", "worker", "projector"]],
  ["two processes with all roles", ["api,worker,projector", "api,worker,projector"]],
];

/** What more processes bring on one machine. */
export const benchIngestProcesses = async ({ runs, scale }: CaseOptions): Promise<Figure[]> => {
  const rates = DEPLOYMENTS.map((): number[] => []);
  for (let run = 0; run < runs; run++) {
    for (const [i, [, roles]] of DEPLOYMENTS.entries()) {
      rates[i]?.push(await ingestWith(roles, SECONDS * scale));
    }
  }
  return DEPLOYMENTS.map(([name], i) => ({ name, unit: "events/s", runs: rates[i] ?? [] }));
};

const ingestWith = async (deployment: ReadonlyArray<string>, seconds: number): Promise<number> => {
  const { url, close } = await createMigratedDatabase(SHARDS);
  const services: Child[] = [];
  try {
    for (const ROLES of deployment) {
      services.push(await startService({ DATABASE_URL: url, ROLES, ...BACKLOG_BOUNDS }));
    }
    return (await measureIngest(services, url, { ...LOAD, seconds })).rate;
  } finally {
    for (const service of services) await service.stop();
    await close();
  }
};
