import { Context } from "effect";

/**
 * The client that a fiber works for: `key:<id>` of a request with a key, else `address:<address>`. Whatever clients
 * share fairly (bytes, parse time, database reads) they share by this name.
 */
export const Client = Context.Reference<string>("tidemark/access/Client", {
  defaultValue: () => "service",
});
