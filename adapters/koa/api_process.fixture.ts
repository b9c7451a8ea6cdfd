import { Effect } from "effect";

import { startApi } from "./api.fixture.ts";

/**
 * The API in a process of its own, so that a test can bound its memory and look at it: sends its URL to its parent, and to
 * any message how many bytes are resident. It answers as usual, except that it never finds a job or says that there is none.
 */
const api = await startApi({ queue: { find: () => Effect.never } });
process.on("message", () => process.send?.({ rss: process.memoryUsage.rss() }));
process.on("disconnect", () => process.exit());
process.send?.({ url: api.url });
