/** What an attacker has done, and what it was answered. */
export interface Tally {
  connections: number;
  /** Connections that could not be opened. */
  refused: number;
  /** Connections that the service closed. */
  cutOff: number;
  bytesSent: number;
  /** Answers by their status. */
  readonly statuses: Record<string, number>;
}

export const emptyTally = (): Tally => ({
  connections: 0,
  refused: 0,
  cutOff: 0,
  bytesSent: 0,
  statuses: {},
});

/** The tallies of several attackers as one. */
export const sumTallies = (tallies: ReadonlyArray<Tally>): Tally => {
  const sum = emptyTally();
  for (const tally of tallies) {
    sum.connections += tally.connections;
    sum.refused += tally.refused;
    sum.cutOff += tally.cutOff;
    sum.bytesSent += tally.bytesSent;
    for (const [status, count] of Object.entries(tally.statuses)) {
      sum.statuses[status] = (sum.statuses[status] ?? 0) + count;
    }
  }
  return sum;
};

/** The attack in a sentence, as in "12 connections, 54.0 MB sent; answered 202 × 3, 503 × 9; 2 cut off". */
export const describeTally = (tally: Tally): string => {
  const { connections, refused, cutOff, bytesSent, statuses } = tally;
  const answers = Object.entries(statuses).map(([status, count]) => `${status} × ${count}`);
  return [
    `${connections} connections, ${(bytesSent / 1e6).toFixed(1)} MB sent`,
    answers.length === 0 ? "never answered" : `answered ${answers.join(", ")}`,
    ...(cutOff > 0 ? [`${cutOff} cut off`] : []),
    ...(refused > 0 ? [`${refused} not let in`] : []),
  ].join("; ");
};
