import type { ReadModel, Row } from "../../core/projection/read_models.ts";
import type { Database } from "./pool.ts";

/** The rows of a live read model of one shard, as `fold` returns them. */
export const readRows = async (
  database: Database,
  { name, dimensions }: ReadModel,
  shard: number,
): Promise<ReadonlyArray<Row>> => {
  const text = `select ${dimensions.join(", ")}, events from read_models.${name} where shard = $1`;
  const rows = await database.query({ name: `read ${name}`, text }, [shard]);
  return rows.map((row) => ({
    key: dimensions.map((dimension) => {
      const value: unknown = row[dimension];
      return value instanceof Date ? value.getTime() : String(value);
    }),
    events: Number(row["events"]),
  }));
};
