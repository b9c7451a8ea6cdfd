/** Known vulnerabilities in the dependencies of the service, from the registry. */
import { type Outcome, runProgram } from "../test/run_program.ts";

const ARGUMENTS = [
  "audit",
  "--omit=dev",
  "--audit-level=moderate",
  // npm run -s silences all commands below it.
  "--loglevel=warn",
  "--fetch-retries=0",
  "--fetch-timeout=15000",
];

/** The report of `npm audit`, "" without vulnerabilities, or why the registry did not answer. */
export const auditDependencies = async (): Promise<string | { readonly skipped: string }> =>
  readAudit(await runProgram("npm", ARGUMENTS));

export const readAudit = ({ code, out, err }: Outcome): string | { readonly skipped: string } => {
  if (code === 0) return "";
  // There is no network, or a mirror of the registry that has no advisories.
  if (/audit endpoint returned an error/.test(err)) {
    return { skipped: /^npm warn audit (.+)$/m.exec(err)?.[1] ?? err };
  }
  return `${out}${err}`;
};
