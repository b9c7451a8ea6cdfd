import { invalidationsConformance } from "../../core/projection/invalidations.conformance.ts";
import { makeMemoryInvalidations } from "./invalidations.ts";

invalidationsConformance("memory", async () => {
  const invalidations = makeMemoryInvalidations();
  return {
    nodes: [invalidations, invalidations],
    connected: async () => {},
    close: async () => {},
  };
});
