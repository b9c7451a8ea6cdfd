import type { ReadModel } from "./read_model.ts";

/** How many events of each type an account had in each hour: the totals of a summary. */
export const activityByType: ReadModel = {
  name: "activity_by_type",
  dimensions: ["account_id", "hour", "type"],
  version: 1,
};
