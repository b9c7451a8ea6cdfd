import * as assert from "uvu/assert";

import { decodeEvent, type Issue } from "./decode.ts";
import type { Event } from "./event.ts";
import { EVENT_RULES_DEFAULT, type EventRules } from "./rules.ts";

/** The service's clock in tests of the decoder. */
export const NOW = Date.UTC(2026, 0, 31, 12);

/** A valid event as a client sends it. Fields given as undefined are omitted. */
export const sentEvent = (
  fields: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> => {
  const sent: Record<string, unknown> = {
    event_id: "e1",
    account_id: "acme",
    user_id: "ada",
    type: "login",
    timestamp: "2026-01-31T09:30:00.000Z",
    ...fields,
  };
  for (const [field, value] of Object.entries(sent)) if (value === undefined) delete sent[field];
  return sent;
};

/** The default rules, with changes. */
export const rulesWith = (changes: Partial<EventRules>): EventRules =>
  Object.assign({}, EVENT_RULES_DEFAULT, changes);

/** The index of the event under test in its batch. */
const INDEX = 7;

/** The event that `input` decodes to. */
export const accepted = (input: unknown, rules: EventRules = EVENT_RULES_DEFAULT): Event => {
  const issues: Issue[] = [];
  const event = decodeEvent(input, INDEX, rules, NOW, issues);
  assert.equal(issues, []);
  if (event === undefined) throw new Error("no issue, but no event either");
  return event;
};

/** All problems reported for `input`, as `[path, message]`. */
export const refused = (
  input: unknown,
  rules: EventRules = EVENT_RULES_DEFAULT,
): ReadonlyArray<readonly [path: string, message: string]> => {
  const issues: Issue[] = [];
  assert.is(decodeEvent(input, INDEX, rules, NOW, issues), undefined);
  assert.ok(issues.length > 0, "refused without a reason");
  return issues.map(({ index, path, message }) => {
    assert.is(index, INDEX);
    return [path, message] as const;
  });
};

/** Asserts that exactly one problem is reported for `input`, at `path`, with a message that matches. */
export const assertRefused = (
  input: unknown,
  path: string,
  message: RegExp,
  rules: EventRules = EVENT_RULES_DEFAULT,
): void => {
  const issues = refused(input, rules);
  assert.equal(
    issues.map(([where]) => where),
    [path],
  );
  assert.match(issues[0]?.[1] ?? "", message);
};
