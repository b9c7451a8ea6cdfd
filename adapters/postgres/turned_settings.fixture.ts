import type { Database } from "./pool.ts";

interface Setting {
  readonly name: string;
  readonly setting: string;
  readonly vartype: string;
  readonly values: ReadonlyArray<string> | null;
  readonly min: string;
  readonly max: string;
}

/** Operators set these on purpose, and the service respects them. */
const HEEDED = ["default_transaction_read_only", "synchronous_commit"];

/** Every setting of a role that is not a text, as far from its default as possible. */
export const turnedSettings = async (
  database: Database,
): Promise<Readonly<Record<string, string>>> => {
  const text = `
    select name, setting, vartype, enumvals as values, min_val as min, max_val as max from pg_settings
    where context = 'user' and vartype <> 'string' and name <> all ($1)
      -- Of a transaction, not of a session.
      and name not in ('transaction_deferrable', 'transaction_isolation', 'transaction_read_only')`;
  const settings = await database.query<Setting>({ name: "turned_settings", text }, [HEEDED]);
  return Object.fromEntries(settings.map((each) => [each.name, otherWay(each)]));
};

const otherWay = ({ setting, vartype, values, min, max }: Setting): string => {
  if (vartype === "bool") return setting === "on" ? "off" : "on";
  // A server can be built with only one of the values.
  if (vartype === "enum") return values?.find((value) => value !== setting) ?? setting;
  return setting === min ? max : min;
};
