/** Whether a dependency that the service runs on has a known vulnerability, as the registry knows them. */
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";

/** What is at least so bad fails the gate. */
const SEVERITIES = ["moderate", "high", "critical"];

/** How long the registry may take; nobody waits longer for a check that others can do later. */
const FETCH_TIMEOUT_MS = 15_000;

export type Audit =
  | { readonly _tag: "Answered"; readonly problems: string }
  /** Nobody could be asked: there is no network, or a mirror that knows of no advisories. */
  | { readonly _tag: "NotAnswered"; readonly reason: string };

interface Report {
  readonly vulnerabilities?: Readonly<Record<string, Vulnerability>>;
  /** Instead of the rest, when the registry does not answer. */
  readonly message?: string;
}

interface Vulnerability {
  readonly severity: string;
  /** Advisories, or the names of packages by which this one is concerned. */
  readonly via: ReadonlyArray<string | { readonly title: string; readonly url: string }>;
  readonly range: string;
  readonly fixAvailable: boolean | { readonly name: string; readonly version: string };
}

/** Asks the registry about what package-lock.json installs beside development. */
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

/** Reads what `npm audit --json` printed. */
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
    typeof each === "string" ? `by ${each}` : `${each.title} (${each.url})`,
  );
  const fix =
    typeof fixAvailable === "object"
      ? `; ${fixAvailable.name} ${fixAvailable.version} mends it`
      : fixAvailable
        ? "; npm audit fix mends it"
        : "; nothing mends it yet";
  return `${severity}: ${`${name} ${range}`.trim()}: ${why.join(", ")}${fix}`;
};
