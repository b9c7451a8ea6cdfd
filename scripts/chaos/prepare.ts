import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const pathOf = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** What every process of the service gets of this one: no variable of the person's shell may change what it does. */
export const BASE_ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: process.env["PATH"] ?? "",
  NODE_COMPILE_CACHE: pathOf("node_modules/.cache/tidemark/compile"),
};

/** The program of the service. */
export const MAIN: string = pathOf("app/main.ts");

/** Applies the migrations, as a deployment does before its processes start. */
export const prepareDatabase = async (databaseUrl: string): Promise<void> => {
  const run = promisify(execFile);
  await run(process.execPath, [pathOf("db/main.ts")], {
    env: { ...BASE_ENVIRONMENT, DATABASE_URL: databaseUrl },
  });
  // Ends by itself and so leaves its compiled code for those that will be killed and cannot.
  await run(process.execPath, [MAIN, "--help"], { env: BASE_ENVIRONMENT });
};
