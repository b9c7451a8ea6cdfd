/**
 * Posts an event with a client whose types were generated, and reads back what became of it. TIDEMARK_URL
 * names the service, TIDEMARK_KEY a key of it with the scopes write and read.
 */
import createClient from "openapi-fetch";

import type { components, paths } from "./tidemark.js";

// Not the types of Node, whose errors would be counted with those of the client.
declare const process: { readonly env: Readonly<Record<string, string | undefined>> };

const WITHIN_MS = 30_000;
const ACCOUNT = "typescript-client";

const client = createClient<paths>({
  baseUrl: process.env["TIDEMARK_URL"] ?? "",
  headers: { Authorization: `Bearer ${process.env["TIDEMARK_KEY"]}` },
});

const hold: (condition: boolean, what: unknown) => asserts condition = (condition, what) => {
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
hold(refused.error?.type === "urn:tidemark:problem:batch-empty", refused);

const accepted = await client.POST("/events", { body: { events: [sent] } });
hold(accepted.data?.queued === 1, accepted.error);

const deadline = Date.now() + WITHIN_MS;
for (;;) {
  const job = await client.GET("/jobs/{id}", { params: { path: { id: accepted.data.jobId } } });
  const summary = await client.GET("/accounts/{id}/summary", {
    params: { path: { id: ACCOUNT }, query: { window: "last_24h", top: 3 } },
  });
  hold(job.data !== undefined && summary.data !== undefined, [job.error, summary.error]);
  if (job.data.state === "completed" && summary.data.totals["login"] === 1) break;
  hold(Date.now() < deadline, [job.data, summary.data]);
  await new Promise((resolve) => setTimeout(resolve, 100));
}

const page = await client.GET("/accounts/{id}/events", {
  params: { path: { id: ACCOUNT }, query: { limit: 1, type: "login" } },
});
const [event] = page.data?.events ?? [];
hold(event?.event_id === sent.event_id, page);
hold(JSON.stringify(event.metadata) === JSON.stringify(sent.metadata), event);
