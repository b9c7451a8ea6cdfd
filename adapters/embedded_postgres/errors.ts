/**
 * Another living process owns the data folder, so this one must not start a server on it.
 * `ownerPid` is undefined when the owner has not had the time to write its pid down.
 */
export class DataDirInUse extends Error {
  readonly _tag = "DataDirInUse";
  readonly dataDir: string;
  readonly ownerPid: number | undefined;

  constructor(dataDir: string, ownerPid: number | undefined) {
    super(
      `The data folder ${dataDir} is in use by another process (pid ${ownerPid ?? "unknown"}). ` +
        "Stop that process, or set DATA_DIR to another folder, " +
        "or set DATABASE_URL in both to share one database.",
    );
    this.name = "DataDirInUse";
    this.dataDir = dataDir;
    this.ownerPid = ownerPid;
  }
}

/** The embedded Postgres could not be prepared, started or reached; the message says why and how to mend it. */
export class EmbeddedPostgresFailed extends Error {
  readonly _tag = "EmbeddedPostgresFailed";
  /** Last lines that Postgres itself wrote, empty when it never ran. */
  readonly logTail: string;

  constructor(reason: string, options: { logTail?: string; cause?: unknown } = {}) {
    const logTail = options.logTail?.trim() ?? "";
    super(
      logTail === "" ? reason : `${reason}\n${logTail}`,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.name = "EmbeddedPostgresFailed";
    this.logTail = logTail;
  }
}
