import { Effect } from "effect";

import { startApi } from "./api.fixture.ts";

/**
 * The API in its own process, so that a test can limit and measure its memory. Sends its URL to its
 * parent, and in reply to any message its resident bytes. Looking up a job never ends; everything
 * else works.
 */
const api = await startApi({ queue: { find: () => Effect.never } });
process.on("message", () => process.send?.({ rss: process.memoryUsage.rss() }));
process.on("disconnect", () => process.exit());
process.send?.({ url: api.url });
