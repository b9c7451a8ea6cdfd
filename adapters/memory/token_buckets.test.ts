import { tokenBucketsConformance } from "../../core/access/quotas.conformance.ts";
import { makeMemoryTokenBuckets } from "./token_buckets.ts";

tokenBucketsConformance("memory", async () => ({
  buckets: makeMemoryTokenBuckets(),
  close: async () => {},
}));
