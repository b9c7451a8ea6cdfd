import type { ReadModel } from "./read_model.ts";

/** How many events each user of an account had in each hour: the top users of a summary. */
export const activityByUser: ReadModel = {
  name: "activity_by_user",
  dimensions: ["account_id", "hour", "user_id"],
};
