/** A suite that cannot run on this machine, announced instead of silently left out. */
export interface SkippedSuite {
  name: string;
  reason: string;
}

export const skippedSuites: SkippedSuite[] = [];

/**
 * Announces that a whole suite is left out because the machine lacks something, for example
 * `skipSuite("redis cache", "no redis-server on this machine")`. The runner prints it and counts it in
 * the last line; where `CI=true` it counts as a failure, since CI must have everything.
 */
export function skipSuite(name: string, reason: string): void {
  skippedSuites.push({ name, reason });
}
