/** A suite that cannot run on this machine. */
export interface SkippedSuite {
  name: string;
  reason: string;
}

export const skippedSuites: SkippedSuite[] = [];

/**
 * Skips a suite because the machine lacks something, such as `skipSuite("redis cache",
 * "redis-server is not installed")`. The runner prints it and counts it in the last line. With
 * `CI=true` it is a failure: CI must have everything.
 */
export function skipSuite(name: string, reason: string): void {
  skippedSuites.push({ name, reason });
}
