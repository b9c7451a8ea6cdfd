import { projectionConformance } from "../../core/projection/projection.conformance.ts";
import type { ReadModel, Row } from "../../core/projection/read_model.ts";
import { createMigratedDatabase, TEST_SHARDS } from "../../scripts/test/migrated_database.ts";
import { makeEventLog } from "./event_log.ts";
import type { Database } from "./pool.ts";
import { makeProjection } from "./projection.ts";

projectionConformance("postgres", async () => {
  const { database, close } = await createMigratedDatabase();
  return {
    log: makeEventLog(database, TEST_SHARDS),
    projection: makeProjection(database),
    rows: (model, shard) => readRows(database, model, shard),
    close,
  };
});

const readRows = async (
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
