/**
 * For tests, a process to kill: starts the embedded Postgres on the data folder given as the first
 * argument, prints one line of JSON, and stops when its standard input ends.
 */
import { once } from "node:events";

import { startEmbeddedPostgres } from "./embedded_postgres.ts";

const [dataDir = "", storeDir] = process.argv.slice(2);
const notices: string[] = [];
try {
  const postgres = await startEmbeddedPostgres({
    dataDir,
    onNotice: (sentence) => void notices.push(sentence),
    ...(storeDir !== undefined && { storeDir }),
  });
  console.log(JSON.stringify({ url: postgres.url, pid: postgres.pid, notices }));
  process.stdin.resume();
  await once(process.stdin, "end");
  await postgres.stop();
} catch (error) {
  const { name, message } = error as Error;
  console.log(JSON.stringify({ error: name, message, notices }));
}
