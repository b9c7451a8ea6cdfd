import { readFileSync } from "node:fs";

import type { Statement } from "./pool.ts";

/** Reads a statement from a `.sql` file, named after the file. Called once, when a module loads. */
export const sqlFile = (url: URL): Statement => ({
  name: url.pathname.slice(url.pathname.lastIndexOf("/") + 1, -".sql".length),
  text: readFileSync(url, "utf8"),
});
