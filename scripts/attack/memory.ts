import { readFile } from "node:fs/promises";

const KIB_PER_MIB = 1_024;

/** The most memory that a process has had resident, in MiB; undefined when it is gone, or where Linux is not. */
export const peakResidentMibOf = async (pid: number): Promise<number | undefined> => {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  return kib === undefined ? undefined : Number(kib) / KIB_PER_MIB;
};
