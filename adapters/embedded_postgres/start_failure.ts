/** Why a server ended before it was ready, as far as trying again may help. */
export type StartFailure = "port_taken" | "still_in_use" | "other";

/**
 * Judges by the server's own words. They are in English whatever the machine's language, because
 * the server runs with LC_ALL=C. Were they ever to change, a start that could have been
 * retried fails with the log in the message; nothing worse.
 */
export function classifyStartFailure(logTail: string): StartFailure {
  if (/Address already in use/.test(logTail)) return "port_taken";
  // Children of a killed server end a moment after it; until then the shared memory is theirs.
  if (/shared memory block .*still in use|lock file "postmaster\.pid" already exists/.test(logTail))
    return "still_in_use";
  return "other";
}
