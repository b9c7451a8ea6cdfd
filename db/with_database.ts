/**
 * Runs `use` with the URL of the configured database, DATABASE_URL or the embedded one under DATA_DIR, which
 * is started for as long as it takes unless a service runs it already.
 */
export async function withDatabase<A>(use: (url: string) => Promise<A>): Promise<A> {
  const url = process.env["DATABASE_URL"];
  if (url !== undefined && url !== "") {
    return use(url);
  }
  // Loaded only here: a server with a database of its own has no use for the embedded binaries.
  const { connectEmbeddedPostgres } =
    await import("../adapters/embedded_postgres/embedded_postgres.ts");
  const embedded = await connectEmbeddedPostgres({ dataDir: process.env["DATA_DIR"] ?? ".data" });
  try {
    return await use(embedded.url);
  } finally {
    await embedded.stop();
  }
}
