import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A migrations folder that a test wrote. */
export interface FixtureFolder {
  readonly directory: string;
  write(file: string, content: string | Uint8Array): Promise<void>;
  remove(file: string): Promise<void>;
  drop(): Promise<void>;
}

/** For tests: a folder under the system's temporary one that holds the given files. */
export async function fixtureFolder(
  files: Readonly<Record<string, string | Uint8Array>> = {},
): Promise<FixtureFolder> {
  const directory = await mkdtemp(join(tmpdir(), "tidemark-migrations-"));
  const folder: FixtureFolder = {
    directory,
    write: (file, content) => writeFile(join(directory, file), content),
    remove: (file) => rm(join(directory, file)),
    drop: () => rm(directory, { recursive: true }),
  };
  for (const [file, content] of Object.entries(files)) {
    await folder.write(file, content);
  }
  return folder;
}
