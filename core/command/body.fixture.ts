import { encodeUtf8 } from "../utf8.fixture.ts";
import type { Body } from "./record_events.ts";

/** A body as a client sends it. */
export const bodyOf = (input: unknown): Body => ({
  bytes: encodeUtf8(JSON.stringify(input)),
  release: () => {},
});
