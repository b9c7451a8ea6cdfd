/**
 * Another living process owns the data folder, so this one must not start a server on it.
 * `ownerPid` is undefined if the owner has not yet recorded its pid.
 */
export class DataDirInUse extends Error {
  readonly _tag = "DataDirInUse";
  override readonly name = "DataDirInUse";
  readonly dataDir: string;
  readonly ownerPid: number | undefined;

  constructor(dataDir: string, ownerPid: number | undefined) {
    super(
      `The data folder ${dataDir} is in use by another process (pid ${ownerPid ?? "unknown"}). ` +
        "Stop that process, set DATA_DIR to another folder, " +
        "or share one database by setting DATABASE_URL in both.",
    );
    this.dataDir = dataDir;
    this.ownerPid = ownerPid;
  }
}

/** The embedded Postgres could not be started or reached. The message says why and what to do. */
export class EmbeddedPostgresFailed extends Error {
  readonly _tag = "EmbeddedPostgresFailed";
  override readonly name = "EmbeddedPostgresFailed";

  /** @param options.logTail the last lines that Postgres printed, to append to the message */
  constructor(reason: string, { logTail = "", cause }: { logTail?: string; cause?: unknown } = {}) {
    const tail = logTail.trim();
    super(tail === "" ? reason : `${reason}\n${tail}`, cause === undefined ? undefined : { cause });
  }
}
