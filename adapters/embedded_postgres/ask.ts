import { Client } from "pg";

/** For tests: runs one statement and returns the first column of its rows. */
export async function ask(url: string, statement: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<unknown[]>({ text: statement, rowMode: "array" });
  await client.end();
  return rows.map((row) => row[0]);
}

/** For tests: the error of a promise that has to fail. */
export async function failure(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => {
      throw new Error("it should have failed");
    },
    (error: Error) => error,
  );
}
