import { compareBytes } from "../../core/summary/summary.ts";
import type { AccountCounts, Finding } from "./judge.ts";

/** The part of a summary that is checked. */
export interface SummaryAnswer {
  readonly totals: Readonly<Record<string, number>>;
  readonly top_users: ReadonlyArray<{ readonly user_id: string; readonly events: number }>;
  readonly from: string;
  readonly to: string;
}

/** The events of one type and user in a range. */
export interface UserCount {
  readonly user_id: string;
  readonly type: string;
  readonly events: number;
}

export interface SummaryEvidence {
  /** The events in the log, by account. */
  readonly accounts: ReadonlyMap<string, AccountCounts>;
  /** Requests a summary of the service; `query` is the query string. */
  readonly summary: (accountId: string, query: string) => Promise<SummaryAnswer>;
  /** Counts the log without an index, from `from` up to but not including `to`. */
  readonly bruteForce: (
    accountId: string,
    from: string,
    to: string,
  ) => Promise<ReadonlyArray<UserCount>>;
  /** A query string whose range covers everything that was sent. */
  readonly everything: string;
}

/** For how many of the largest accounts windows and users are checked, too. */
const LARGEST = 5;

const TOP = 10;

/** Checks summaries against the log: by type for all accounts, and windows and users for the largest. */
export const judgeSummaries = async (
  evidence: SummaryEvidence,
): Promise<ReadonlyArray<Finding>> => {
  const findings: Finding[] = [];
  for (const [accountId, { types }] of evidence.accounts) {
    const { totals } = await evidence.summary(accountId, evidence.everything);
    for (const type of new Set([...types.keys(), ...Object.keys(totals)])) {
      const said = totals[type] ?? 0;
      const there = types.get(type) ?? 0;
      if (said === there) continue;
      findings.push({
        kind: said > there ? "duplicated" : "lost",
        what: `the summary of ${accountId} counts ${said} events of ${type}, the log has ${there}`,
      });
    }
  }
  const largest = [...evidence.accounts]
    .toSorted(([, a], [, b]) => b.events - a.events)
    .slice(0, LARGEST);
  for (const [accountId] of largest) {
    for (const window of ["last_7d", "last_24h"]) {
      const answer = await evidence.summary(accountId, `window=${window}&top=${TOP}`);
      const counts = await evidence.bruteForce(accountId, answer.from, answer.to);
      const said = JSON.stringify([sorted(answer.totals), answer.top_users]);
      const there = JSON.stringify([sorted(sumBy(counts, "type")), topUsers(counts)]);
      if (said === there) continue;
      findings.push({
        kind: "differs",
        what: `${window} of ${accountId} shows ${said}, the log has ${there}`,
      });
    }
  }
  return findings;
};

const sumBy = (
  counts: ReadonlyArray<UserCount>,
  key: "type" | "user_id",
): Readonly<Record<string, number>> => {
  const sums: Record<string, number> = {};
  for (const count of counts) sums[count[key]] = (sums[count[key]] ?? 0) + count.events;
  return sums;
};

const sorted = (totals: Readonly<Record<string, number>>): ReadonlyArray<[string, number]> =>
  Object.entries(totals).toSorted(([a], [b]) => compareBytes(a, b));

const topUsers = (counts: ReadonlyArray<UserCount>): SummaryAnswer["top_users"] =>
  Object.entries(sumBy(counts, "user_id"))
    .map(([user_id, events]) => ({ user_id, events }))
    .toSorted((a, b) => b.events - a.events || compareBytes(a.user_id, b.user_id))
    .slice(0, TOP);
