import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder of migrations and functions that a test wrote. Plain file names are migrations. */
export interface FixtureFolder {
  readonly directory: string;
  write(file: string, content: string | Uint8Array): Promise<void>;
  remove(file: string): Promise<void>;
  drop(): Promise<void>;
}

/** Writes a temporary folder that contains the given files. */
export const fixtureFolder = async (
  files: Readonly<Record<string, string | Uint8Array>> = {},
): Promise<FixtureFolder> => {
  const directory = await mkdtemp(join(tmpdir(), "tidemark-migrations-"));
  for (const name of ["migrations", "functions"]) await mkdir(join(directory, name));
  const pathOf = (file: string): string =>
    join(directory, file.includes("/") ? file : `migrations/${file}`);
  const folder: FixtureFolder = {
    directory,
    write: (file, content) => writeFile(pathOf(file), content),
    remove: (file) => rm(pathOf(file)),
    drop: () => rm(directory, { recursive: true }),
  };
  for (const [file, content] of Object.entries(files)) {
    await folder.write(file, content);
  }
  return folder;
};
