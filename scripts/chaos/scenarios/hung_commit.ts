import { setTimeout as delay } from "node:timers/promises";

import { present } from "../../../core/invariant.ts";
import type { DirectDatabase } from "../../testbed/direct_database.ts";
import { until } from "../../testbed/until.ts";
import type { Role } from "../role.ts";
import type { Scenario } from "../scenario.ts";

/** Many times the statement timeout of this scenario. */
const HUNG_MS = 12_000;

/** Short timeouts, so that many statements are given up. */
const IMPATIENT = { DATABASE_STATEMENT_TIMEOUT_MS: "300", DATABASE_CONNECT_TIMEOUT_MS: "300" };

/** The default of `DATABASE_CONNECTIONS_MAX`. */
const CONNECTIONS_MAX = 14;

const SAMPLE_MS = 100;
const WITHIN_MS = 30_000;

interface Backends {
  /** All connections of the service. */
  readonly all: number;
  /** Those with a commit that waits for the standby. */
  readonly hung: number;
  /** Those among them that store a batch, which only the API does. */
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
  return present(backends, "An aggregate without groups must return a row");
};

/** The status of `/readyz`, if it answers. */
const readinessOf = async ({ url }: Role): Promise<number | undefined> =>
  fetch(`${url}/readyz`).then(
    ({ status }) => status,
    () => undefined,
  );

/** A commit that hangs keeps its own connection, and blocks nothing but commits. */
export const hungCommitLeaksNothing: Scenario = {
  name: "hung-commit-leaks-nothing",
  about: "commits wait for an unavailable synchronous standby, and are given up many times over",
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
    /** The connections of the judge. */
    const others = 4;
    await restart(IMPATIENT);
    await scene.repeat(async () => {
      await database.query("alter system set synchronous_standby_names = 'unavailable'");
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
        await delay(SAMPLE_MS);
      }
      await database.query("alter system reset synchronous_standby_names");
      await database.query("select pg_reload_conf()");
      scene.note(`up to ${most.hung} of ${most.all} connections hung`);
      if (most.accepting === 0) scene.fail("no commit hung");
      if (most.accepting > CONNECTIONS_MAX) {
        scene.fail(`${most.accepting} commits of the API hung, more than it may have connections`);
      }
      if (most.all > all.length * CONNECTIONS_MAX + others) {
        scene.fail(`${all.length} processes had ${most.all} connections, more than they may have`);
      }
      if (silent > 0) scene.fail(`/readyz of the API did not answer ${silent} times`);
      if (unready === 0) scene.fail("the API was ready although no commit ended");
      await until(
        "all hung commits have ended",
        async () => (await backendsOf(database)).hung === 0,
        WITHIN_MS,
      );
      await Promise.all(all.map(({ ready }) => ready()));
    });
    await restart({});
  },
};
