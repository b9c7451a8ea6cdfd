import { identityOf, type RecordedEvent } from "../../core/event/event.ts";
import { shardOf } from "../../core/event/shard.ts";
import {
  fold,
  NO_ROWS,
  READ_MODELS,
  type Row,
  type Rows,
} from "../../core/projection/read_models.ts";
import { contentOf, type Sent } from "./ledger.ts";

/** What was sent, and what the service made of it. */
export interface Evidence {
  /** Everything that was sent, by identity. */
  readonly sent: ReadonlyMap<string, Sent>;
  readonly shards: number;
  /** The log of all shards in pages, each shard in the order of its positions. */
  readonly log: AsyncIterable<ReadonlyArray<RecordedEvent>>;
  /** The head of each shard. */
  readonly heads: ReadonlyMap<number, number>;
  /** The rows of a live read model. */
  readonly rows: (model: string) => Promise<ReadonlyArray<Row>>;
  /** The poison events that were skipped, as `shard:position`. */
  readonly poisoned: ReadonlySet<string>;
  /** The dead letters, by the id of the job. */
  readonly deadLetters: ReadonlyArray<string>;
  /** What the scenarios provoked on purpose. */
  readonly provoked: Provoked;
}

export interface Provoked {
  /** Identities of events that cannot be folded. */
  readonly poisonEvents: ReadonlySet<string>;
  /** Ids of jobs that cannot be completed. */
  readonly deadJobs: ReadonlySet<string>;
}

/** A broken promise. */
export interface Finding {
  readonly kind: "lost" | "duplicated" | "differs";
  readonly what: string;
}

/** The events of an account in the log. */
export interface AccountCounts {
  events: number;
  readonly types: Map<string, number>;
}

export interface Judgement {
  readonly findings: ReadonlyArray<Finding>;
  /** The distinct events of the log by account and type, to check summaries against. */
  readonly accounts: ReadonlyMap<string, AccountCounts>;
}

/**
 * Checks the log, the read models and the dead letters against what was sent and accepted. It shares only the
 * definitions of identity, shard and fold with the service.
 */
export const judge = async (evidence: Evidence): Promise<Judgement> => {
  const findings: Finding[] = [];
  const find = (kind: Finding["kind"], what: string): void => void findings.push({ kind, what });
  const accounts = new Map<string, AccountCounts>();
  const seen = new Set<Sent>();
  const ends = new Map<number, number>();
  const poisoned = new Set<string>();
  let folds: ReadonlyArray<Rows> = READ_MODELS.map(() => NO_ROWS);

  const check = (event: RecordedEvent): void => {
    const id = identityOf(event);
    const place = `${event.shard}:${event.position}`;
    const name = `${id.replace("\n", " ")} at ${place}`;
    const end = ends.get(event.shard) ?? 0;
    if (event.position !== end + 1) find("differs", `${place} follows ${event.shard}:${end}`);
    ends.set(event.shard, event.position);
    if (evidence.poisoned.has(place)) poisoned.add(id);
    const sent = evidence.sent.get(id);
    if (sent === undefined) {
      find("differs", `${name} was never sent`);
      return;
    }
    if (seen.has(sent)) {
      find("duplicated", `${name} is in the log a second time`);
      return;
    }
    seen.add(sent);
    if (sent.content !== contentOf(event)) find("differs", `${name} differs from what was sent`);
    if (shardOf(event.accountId, evidence.shards) !== event.shard) {
      find("differs", `${name} is in the wrong shard`);
    }
    count(accounts, event);
  };

  for await (const page of evidence.log) {
    for (const event of page) check(event);
    const folded = page.filter(
      (event) => !evidence.poisoned.has(`${event.shard}:${event.position}`),
    );
    folds = READ_MODELS.map((model, i) => fold(model, folds[i] ?? NO_ROWS, folded));
  }
  for (const [id, sent] of evidence.sent) {
    if (sent.accepted && !seen.has(sent))
      find("lost", `${id.replace("\n", " ")} is not in the log`);
  }
  for (const [shard, head] of evidence.heads) {
    const end = ends.get(shard) ?? 0;
    if (head !== end) find("differs", `shard ${shard} ends at ${end}, but its head is ${head}`);
  }
  for (const [i, { name }] of READ_MODELS.entries()) {
    findings.push(...compareRows(name, folds[i] ?? NO_ROWS, await evidence.rows(name)));
  }
  findings.push(
    ...compareSets("poisoned event", evidence.provoked.poisonEvents, poisoned),
    ...compareSets("dead letter", evidence.provoked.deadJobs, new Set(evidence.deadLetters)),
  );
  return { findings, accounts };
};

const count = (accounts: Map<string, AccountCounts>, { accountId, type }: RecordedEvent): void => {
  let account = accounts.get(accountId);
  if (account === undefined) accounts.set(accountId, (account = { events: 0, types: new Map() }));
  account.events++;
  account.types.set(type, (account.types.get(type) ?? 0) + 1);
};

/** The rows in which a live read model differs from a fold of the whole log. */
const compareRows = (
  model: string,
  rebuilt: Rows,
  live: ReadonlyArray<Row>,
): ReadonlyArray<Finding> => {
  const findings: Finding[] = [];
  const left = new Map(rebuilt);
  for (const { key, events } of live) {
    const id = JSON.stringify(key);
    const expected = left.get(id)?.events ?? 0;
    left.delete(id);
    if (events === expected) continue;
    const what = `${model} ${id} counts ${events} events, the log has ${expected}`;
    findings.push({ kind: events > expected ? "duplicated" : "lost", what });
  }
  for (const [id, { events }] of left) {
    findings.push({
      kind: "lost",
      what: `${model} has no row ${id}, the log has ${events} events`,
    });
  }
  return findings;
};

const compareSets = (
  what: string,
  expected: ReadonlySet<string>,
  found: ReadonlySet<string>,
): ReadonlyArray<Finding> => {
  const readable = (id: string): string => id.replace("\n", " ");
  return [
    ...[...expected]
      .filter((id) => !found.has(id))
      .map((id): Finding => ({ kind: "differs", what: `missing ${what} ${readable(id)}` })),
    ...[...found]
      .filter((id) => !expected.has(id))
      .map((id): Finding => ({ kind: "differs", what: `unexpected ${what} ${readable(id)}` })),
  ];
};
