import { activityByType } from "./activity_by_type.ts";
import type { ReadModel } from "./read_model.ts";

/** Every read model that the projector keeps. */
export const READ_MODELS: ReadonlyArray<ReadModel> = [activityByType];

/** The version of each read model, by its name. */
export const READ_MODEL_VERSIONS: Readonly<Record<string, number>> = Object.fromEntries(
  READ_MODELS.map(({ name, version }) => [name, version]),
);
