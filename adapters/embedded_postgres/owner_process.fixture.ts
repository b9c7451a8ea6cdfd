/**
 * A process for tests to kill. It starts the embedded Postgres on the data folder given as the
 * first argument, prints one line of JSON, and stops when its standard input ends. The other
 * arguments are root's store, and the uid to switch to first.
 */
import { once } from "node:events";

import { startEmbeddedPostgres } from "./embedded_postgres.ts";

const [dataDir = "", storeDir, uid] = process.argv.slice(2);
if (uid !== undefined) {
  process.setgid?.(Number(uid));
  process.setuid?.(Number(uid));
}
const notices: string[] = [];
const print = (report: object): void => {
  process.stdout.write(`${JSON.stringify({ ...report, notices })}\n`);
};
try {
  const postgres = await startEmbeddedPostgres({
    dataDir,
    onNotice: (sentence) => void notices.push(sentence),
    ...(storeDir !== undefined && { storeDir }),
  });
  print({ url: postgres.url, pid: postgres.pid });
  process.stdin.resume();
  await once(process.stdin, "end");
  await postgres.stop();
} catch (error) {
  const { name, message } = error as Error;
  print({ error: name, message });
}
