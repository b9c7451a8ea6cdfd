import { setTimeout as delay } from "node:timers/promises";

import type { DirectDatabase } from "../direct_database.ts";
import type { Role } from "../role.ts";
import type { Scenario } from "../scenario.ts";
import { until } from "../until.ts";

/** How long commits hang: many times as long as a statement may take here. */
const HUNG_MS = 12_000;

/** Statements are given up soon, so that it happens often. */
const IMPATIENT = { DATABASE_STATEMENT_TIMEOUT_MS: "300", DATABASE_CONNECT_TIMEOUT_MS: "300" };

/** What a process may open by default. */
const CONNECTIONS_MAX = 14;

const LOOK_EVERY_MS = 100;
const WITHIN_MS = 30_000;

interface Backends {
  /** All of the service. */
  readonly all: number;
  /** Those whose commit waits for the standby. */
  readonly hung: number;
  /** Those of them that accept a batch, which only the API does. */
  readonly accepting: number;
}

const BACKENDS = `
  select
    count(*)::int as all,
    count(*) filter (where wait_event = 'SyncRep')::int as hung,
    count(*) filter (where wait_event = 'SyncRep'
      and query ilike '%insert into tidemark_queue.%')::int as accepting
  from pg_stat_activity where application_name = 'tidemark' and pid <> pg_backend_pid()`;

const backendsOf = async (database: DirectDatabase): Promise<Backends> => {
  const [backends] = await database.query<Backends & { [name: string]: unknown }>(BACKENDS);
  return backends ?? { all: 0, hung: 0, accepting: 0 };
};

/** What readiness says, if anything. */
const readinessOf = async ({ url }: Role): Promise<number | undefined> =>
  fetch(`${url}/readyz`).then(
    ({ status }) => status,
    () => undefined,
  );

/** A commit that hangs holds the connection that it has, and nothing but commits waits for it. */
export const hungCommitLeaksNothing: Scenario = {
  name: "hung-commit-leaks-nothing",
  about: "commits wait for a synchronous standby that is away, and are given up many times over",
  run: async (scene) => {
    const { database, roles } = scene;
    const all = Object.values(roles);
    const restart = async (environment: Readonly<Record<string, string>>): Promise<void> => {
      for (const role of all) {
        role.configure(environment);
        await role.kill();
        scene.killed();
      }
      await Promise.all(all.map(({ ready }) => ready()));
    };
    /** The judge's own sessions are among them. */
    const others = 4;
    await restart(IMPATIENT);
    await scene.repeat(async () => {
      await database.query("alter system set synchronous_standby_names = 'away'");
      await database.query("select pg_reload_conf()");
      scene.broke();
      const end = performance.now() + HUNG_MS;
      const most = { all: 0, hung: 0, accepting: 0 };
      let unready = 0;
      let silent = 0;
      while (performance.now() < end) {
        const now = await backendsOf(database);
        most.all = Math.max(most.all, now.all);
        most.hung = Math.max(most.hung, now.hung);
        most.accepting = Math.max(most.accepting, now.accepting);
        const readiness = await readinessOf(roles.api);
        if (readiness === undefined) silent++;
        else if (readiness !== 200) unready++;
        await delay(LOOK_EVERY_MS);
      }
      await database.query("alter system reset synchronous_standby_names");
      await database.query("select pg_reload_conf()");
      scene.note(`${most.hung} of ${most.all} connections hung at once`);
      if (most.accepting === 0) scene.fail("no commit hung");
      if (most.accepting > CONNECTIONS_MAX) {
        scene.fail(`the API left ${most.accepting} connections hanging`);
      }
      if (most.all > all.length * CONNECTIONS_MAX + others) {
        scene.fail(`${all.length} processes had ${most.all} connections`);
      }
      if (silent > 0) scene.fail(`the API did not answer for its readiness ${silent} times`);
      if (unready === 0) scene.fail("the API was ready although no commit ended");
      await until(
        "no commit hangs any more",
        async () => (await backendsOf(database)).hung === 0,
        WITHIN_MS,
      );
      await Promise.all(all.map(({ ready }) => ready()));
    });
    await restart({});
  },
};
