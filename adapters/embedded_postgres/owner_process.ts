/**
 * For tests, a process to kill: starts the embedded Postgres on the data folder given as the first
 * argument, prints one line of JSON, and stops when its standard input ends. The others are root's store, and the uid
 * of the user to become first.
 */
import { once } from "node:events";

import { startEmbeddedPostgres } from "./embedded_postgres.ts";

const [dataDir = "", storeDir, uid] = process.argv.slice(2);
if (uid !== undefined) {
  process.setgid?.(Number(uid));
  process.setuid?.(Number(uid));
}
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
