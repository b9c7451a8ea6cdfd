/**
 * `npm run clients`: generates clients from the OpenAPI document of a running service, compiles
 * them strictly, and posts an event with each.
 *
 * The generators and their dependencies are pinned with hashes in the folders beside this file.
 * They are not dependencies of this project: openapi-typescript needs an older TypeScript, and the
 * other one is Python.
 */
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { EXIT_FAILED, runCommand } from "../../adapters/terminal/command_line.ts";
import { messageOf } from "../../core/printable.ts";
import { startChild } from "../bench/with_service.ts";
import { runProgram } from "../test/run_program.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url));

/** The service that a client talks to. */
interface Service {
  readonly url: string;
  readonly key: string;
  /** The path of its OpenAPI document. */
  readonly document: string;
}

/** Generates, compiles and runs the client of one language in a folder of its own. */
type Client = (folder: string, service: Service) => Promise<void>;

const python: Client = async (folder, service) => {
  await cp(join(HERE, "python"), folder, { recursive: true });
  const bin = join(folder, "venv", "bin");
  await run("python3", ["-m", "venv", "venv"], { cwd: folder }).catch((error: unknown) => {
    throw new Error(`Install Python with venv (on Debian: python3-venv). ${messageOf(error)}`);
  });
  // The generator runs ruff, which is in the same folder.
  const env = { PATH: `${bin}:${process.env["PATH"]}` };
  const requirements = ["--require-hashes", "-r", "requirements.txt"];
  await run("pip", ["install", "--quiet", "--disable-pip-version-check", ...requirements], {
    cwd: folder,
    env,
  });
  const output = ["--output-path", "tidemark_client", "--meta", "none"];
  await run(
    "openapi-python-client",
    ["generate", "--path", service.document, ...output, "--fail-on-warning"],
    { cwd: folder, env },
  );
  await run("mypy", ["post.py"], { cwd: folder, env });
  await run("python", ["post.py"], { cwd: folder, env: { ...env, ...asVariables(service) } });
};

const typescript: Client = async (folder, service) => {
  await cp(join(HERE, "typescript"), folder, { recursive: true });
  await run("npm", ["ci", "--no-audit", "--no-fund", "--ignore-scripts"], { cwd: folder });
  const bin = (name: string): string => join(folder, "node_modules", ".bin", name);
  await run(bin("openapi-typescript"), [service.document, "--output", "tidemark.d.ts"], {
    cwd: folder,
  });
  // With the compiler that the generator supports, and with the one of this project.
  await run(bin("tsc"), [], { cwd: folder });
  await run("tsc", ["--project", folder], {});
  await run(process.execPath, ["post.ts"], { cwd: folder, env: asVariables(service) });
};

const CLIENTS: Readonly<Record<string, Client>> = { python, typescript };

const asVariables = ({ url, key }: Service) => ({ TIDEMARK_URL: url, TIDEMARK_KEY: key });

/**
 * Runs a program, and returns its output.
 *
 * @throws ProgramFailed
 */
const run = async (...of: Parameters<typeof runProgram>): Promise<string> => {
  const { code, out, err } = await runProgram(...of);
  if (code === 0) return out;
  const [program, args] = of;
  throw new ProgramFailed([program, ...args].join(" "), `${out}${err}`);
};

class ProgramFailed extends Error {
  readonly output: string;
  constructor(command: string, output: string) {
    super(`${command} failed`);
    this.output = output;
  }
}

/** Runs `use` with a service on a database of its own, and a key. */
const withService = async <A>(
  folder: string,
  use: (service: Service) => Promise<A>,
): Promise<A> => {
  const dataDir = join(folder, "data");
  const env = { ...OWN, PORT: "0", DATA_DIR: dataDir, AUTH: "required", LOG_FORMAT: "json" };
  const child = await startChild("app/main.ts", [], env, /listens on (http:\S+?)[" ]/);
  try {
    const create = ["scripts/keys/main.ts", "create", "--scope", "write,read"];
    const key = (await run(process.execPath, create, { env })).trim();
    const document = join(folder, "openapi.json");
    const response = await fetch(`${child.found}/openapi.json`);
    await writeFile(document, await response.text());
    return await use({ url: child.found, key, document });
  } finally {
    await child.stop();
  }
};

/** Isolates the service from the settings of the environment. */
const OWN = {
  HOST: "",
  DATABASE_URL: "",
  MIGRATION_DATABASE_URL: "",
  REDIS_URL: "",
  ROLES: "",
  EVENT_TYPES: "",
};

const makeClients = (folder: string, service: Service): Promise<ReadonlyArray<boolean>> =>
  Promise.all(
    Object.entries(CLIENTS).map(async ([language, make]) => {
      const started = performance.now();
      const seconds = (): string => `${((performance.now() - started) / 1_000).toFixed(1)} s`;
      try {
        await make(join(folder, language), service);
        console.log(`ok    ${language}  ${seconds()}`);
        return true;
      } catch (error) {
        console.log(`FAIL  ${language}  ${seconds()}\n${messageOf(error)}`);
        if (error instanceof ProgramFailed) console.log(error.output);
        return false;
      }
    }),
  );

const main = async (): Promise<number> => {
  const folder = await mkdtemp(join(tmpdir(), "tidemark-clients-"));
  try {
    const made = await withService(folder, (service) => makeClients(folder, service));
    return made.every(Boolean) ? 0 : EXIT_FAILED;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

process.exitCode = await runCommand({
  name: "npm run clients",
  about:
    "Starts a service on a database of its own, generates clients for it in Python " +
    "(openapi-python-client) and TypeScript (openapi-typescript), type-checks them, and posts an " +
    "event with each. Exits with 1 if a generator warns, a client does not compile, or its event " +
    "is not counted. Needs python3 with venv, npm and their registries.",
  run: main,
});
