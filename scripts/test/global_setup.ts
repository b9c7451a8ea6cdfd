import { existsSync } from "node:fs";
import { pathToFileURL } from "node:url";

/** What `scripts/test/setup.ts` may export as `setup`: servers that all test files share. */
export type Setup = () => Promise<SharedServers>;

export interface SharedServers {
  /** Added to the environment of every test process outside core/. */
  env: Record<string, string>;
  teardown(): Promise<void>;
}

const NOTHING: SharedServers = { env: {}, teardown: async () => {} };

/** Imports and runs `scripts/test/setup.ts` of the tree, if it has one. */
export async function startSharedServers(root: string): Promise<SharedServers> {
  const path = `${root}/scripts/test/setup.ts`;
  if (!existsSync(path)) return NOTHING;
  const module = (await import(pathToFileURL(path).href)) as { setup: Setup };
  return module.setup();
}
