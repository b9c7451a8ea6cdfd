import { activityByType } from "./activity_by_type.ts";
import type { ReadModel } from "./read_model.ts";

/** Every read model that the projector keeps. */
export const READ_MODELS: ReadonlyArray<ReadModel> = [activityByType];
