import { hash53 } from "../../core/event/hash.ts";
import { whaleUsers } from "../shared/activity.ts";
import { count } from "../shared/format.ts";

/** Decides the events: the same options produce the same events. */
export interface SeedOptions {
  /** Events of ordinary accounts. */
  readonly events: number;
  readonly accounts: number;
  /** Users of each account. */
  readonly users: number;
  readonly days: number;
  /** Additional events of the account `whale`. */
  readonly whale: number;
  readonly seed: number;
}

/** The prefix of event ids. Other options produce other events, so their ids must differ. */
export const nameOf = ({ seed, ...shape }: SeedOptions): string =>
  `seed-${seed}-${hash53(JSON.stringify(shape)).toString(36).slice(0, NAME_DIGITS)}`;

const NAME_DIGITS = 6;

export const describeOptions = ({ events, accounts, users, days, whale }: SeedOptions): string => {
  const others = `${count(events)} events of ${count(accounts)} accounts with ${count(users)} users each`;
  const whaleText = `${count(whale)} events of a whale with ${count(whaleUsers(whale))} users`;
  const parts = [...(events === 0 ? [] : [others]), ...(whale === 0 ? [] : [whaleText])];
  return `${parts.join(" and ")}, within ${days} days`;
};
