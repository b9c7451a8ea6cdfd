/**
 * Posts an event with a client whose types were generated, and reads it back. TIDEMARK_URL names
 * the service, and TIDEMARK_KEY a key with the scopes write and read.
 */
import createClient from "openapi-fetch";

import type { components, paths } from "./tidemark.js";

// Without the types of Node, whose errors would count as errors of the client.
declare const process: { readonly env: Readonly<Record<string, string | undefined>> };

const WITHIN_MS = 30_000;
const ACCOUNT = "typescript-client";

const client = createClient<paths>({
  baseUrl: process.env["TIDEMARK_URL"] ?? "",
  headers: { Authorization: `Bearer ${process.env["TIDEMARK_KEY"]}` },
});

const assert: (condition: boolean, what: unknown) => asserts condition = (condition, what) => {
  if (!condition) throw new Error(JSON.stringify(what));
};

const sent: components["schemas"]["Event"] = {
  event_id: crypto.randomUUID(),
  account_id: ACCOUNT,
  user_id: "ada",
  type: "login",
  timestamp: new Date().toISOString(),
  metadata: { plan: "pro", tags: ["a", { deep: null }] },
};

const refused = await client.POST("/events", { body: { events: [] } });
assert(refused.error?.type === "urn:tidemark:problem:batch-empty", refused);

const accepted = await client.POST("/events", { body: { events: [sent] } });
assert(accepted.data?.queued === 1, accepted.error);

const deadline = Date.now() + WITHIN_MS;
for (;;) {
  const job = await client.GET("/jobs/{id}", { params: { path: { id: accepted.data.jobId } } });
  const summary = await client.GET("/accounts/{id}/summary", {
    params: { path: { id: ACCOUNT }, query: { window: "last_24h", top: 3 } },
  });
  assert(job.data !== undefined && summary.data !== undefined, [job.error, summary.error]);
  if (job.data.state === "completed" && summary.data.totals["login"] === 1) break;
  assert(Date.now() < deadline, [job.data, summary.data]);
  await new Promise((resolve) => setTimeout(resolve, 100));
}

const page = await client.GET("/accounts/{id}/events", {
  params: { path: { id: ACCOUNT }, query: { limit: 1, type: "login" } },
});
const [event] = page.data?.events ?? [];
assert(event?.event_id === sent.event_id, page);
assert(JSON.stringify(event.metadata) === JSON.stringify(sent.metadata), event);
