/** Known vulnerabilities in the dependencies of the service, from the registry. */
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";

/** Severities that fail the gate. */
const SEVERITIES = ["moderate", "high", "critical"];

/** The registry may take so long. The check can be repeated later. */
const FETCH_TIMEOUT_MS = 15_000;

export type Audit =
  | { readonly _tag: "Answered"; readonly problems: string }
  /** There is no network, or a mirror of the registry without advisories. */
  | { readonly _tag: "NotAnswered"; readonly reason: string };

interface Report {
  readonly vulnerabilities?: Readonly<Record<string, Vulnerability>>;
  /** Replaces the rest when the registry does not answer. */
  readonly message?: string;
}

interface Vulnerability {
  readonly severity: string;
  /** Advisories, or the names of vulnerable packages that this one depends on. */
  readonly via: ReadonlyArray<string | { readonly title: string; readonly url: string }>;
  readonly range: string;
  readonly fixAvailable: boolean | { readonly name: string; readonly version: string };
}

/** Asks the registry about the packages of package-lock.json, without development dependencies. */
export const auditDependencies = async (): Promise<Audit> => {
  const child = spawn(
    "npm",
    ["audit", "--omit=dev", "--json", "--fetch-retries=0", `--fetch-timeout=${FETCH_TIMEOUT_MS}`],
    { stdio: ["ignore", "pipe", "ignore"] },
  );
  const failed = new Promise<string>((resolve) => {
    child.on("error", ({ message }) => resolve(JSON.stringify({ message })));
  });
  return readAudit(await Promise.race([text(child.stdout), failed]));
};

/** Reads the output of `npm audit --json`. */
export const readAudit = (printed: string): Audit => {
  const { vulnerabilities, message } = parse(printed);
  if (vulnerabilities === undefined) {
    return { _tag: "NotAnswered", reason: message ?? "npm audit printed no report" };
  }
  const problems = Object.entries(vulnerabilities)
    .filter(([, { severity }]) => SEVERITIES.includes(severity))
    .map(([name, vulnerability]) => describe(name, vulnerability));
  return { _tag: "Answered", problems: problems.join("\n") };
};

const parse = (printed: string): Report => {
  try {
    return JSON.parse(printed) as Report;
  } catch {
    return {};
  }
};

const describe = (name: string, { severity, via, range, fixAvailable }: Vulnerability): string => {
  const why = via.map((each) =>
    typeof each === "string" ? `through ${each}` : `${each.title} (${each.url})`,
  );
  const fix =
    typeof fixAvailable === "object"
      ? `; ${fixAvailable.name} ${fixAvailable.version} fixes it`
      : fixAvailable
        ? "; npm audit fix fixes it"
        : "; there is no fix yet";
  return `${severity}: ${`${name} ${range}`.trim()}: ${why.join(", ")}${fix}`;
};
