import { Client } from "pg";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { createTestDatabase, type TestDatabase } from "../scripts/test/database.ts";
import { withClient } from "./client.ts";
import {
  BuildOutdated,
  DatabaseEncodingUnfit,
  MigrationEdited,
  MigrationFailed,
  MigrationFolderInvalid,
  MigrationMissing,
  MigrationOutOfOrder,
} from "./errors.ts";
import { type FixtureFolder, fixtureFolder } from "./folder.fixture.ts";
import { type Applied, migrate, pendingOf, problemOf, schemaStatus } from "./migrate.ts";

interface Context {
  database: TestDatabase;
  folder: FixtureFolder;
  client: Client;
}

const test = suite<Context>("migrate");

/** A function that returns a number, and may be called by its owner alone at first. */
const ANSWER = (answer: number): string =>
  `create or replace function tidemark.answer() returns int language sql as 'select ${answer}';
   revoke execute on function tidemark.answer from public;`;

test.before.each(async (context) => {
  context.database = await createTestDatabase();
  context.folder = await fixtureFolder({
    "0001_ledger.sql": "create table ledger (line int);",
    "0002_first_line.sql": "insert into ledger select 1 + count(*) from ledger;",
    "0003_second_line.sql": "insert into ledger select 1 + count(*) from ledger;",
    "functions/answer.sql": ANSWER(42),
  });
  context.client = new Client({ connectionString: context.database.url });
  await context.client.connect();
});

test.after.each(async ({ client, database, folder }) => {
  await client.end();
  await database.drop();
  await folder.drop();
});

const run = ({ database, folder }: Context): Promise<ReadonlyArray<Applied>> =>
  migrate(database.url, { directory: folder.directory });

const appliedFiles = async (context: Context): Promise<ReadonlyArray<string>> =>
  (await run(context)).map(({ file }) => file);

const failure = (context: Context): Promise<unknown> =>
  run(context).catch((error: unknown) => error);

const appliedVersions = async (client: Client): Promise<ReadonlyArray<number>> => {
  const { rows } = await client.query<{ version: number }>(
    "select version from tidemark.schema_migrations order by applied_at",
  );
  return rows.map((row) => row.version);
};

const ledgerLines = async (client: Client): Promise<ReadonlyArray<number>> => {
  const { rows } = await client.query<{ line: number }>("select line from ledger order by line");
  return rows.map((row) => row.line);
};

test("pending migrations are applied in order, each reported once it is committed", async ({
  client,
  database,
  folder,
}) => {
  const reported: string[] = [];
  const applied = await migrate(database.url, {
    directory: folder.directory,
    onApplied: ({ file }) => reported.push(file),
  });
  const files = [
    "0001_ledger.sql",
    "0002_first_line.sql",
    "0003_second_line.sql",
    "functions/answer.sql",
  ];
  assert.equal(reported, files);
  assert.equal(
    applied.map(({ file }) => file),
    files,
  );
  assert.equal(await appliedVersions(client), [1, 2, 3]);
  assert.equal(await ledgerLines(client), [1, 2]);
});

test("a second run applies nothing, and a third one only the new file", async (context) => {
  await run(context);
  assert.equal(await run(context), []);
  await context.folder.write(
    "0004_third_line.sql",
    "insert into ledger select 1 + count(*) from ledger;",
  );
  assert.equal(await appliedFiles(context), ["0004_third_line.sql"]);
  assert.equal(await ledgerLines(context.client), [1, 2, 3]);
});

test("a failing file is rolled back, and the files before it stay applied", async (context) => {
  await context.folder.write(
    "0002_first_line.sql",
    "create table half_done (); insert into nowhere values (1);",
  );
  const error = await failure(context);
  assert.instance(error, MigrationFailed);
  assert.equal(await appliedVersions(context.client), [1]);
  const { rows } = await context.client.query("select to_regclass('half_done') as half_done");
  assert.equal(rows, [{ half_done: null }]);
});

test("a failure names the file, the line and the error of Postgres", async (context) => {
  const sql = "-- 😀 one character to Postgres\nselect 1;\n\ninsert into nowhere\n  values (1);\n";
  await context.folder.write("0002_first_line.sql", sql);
  const error = (await failure(context)) as MigrationFailed;
  assert.is(error.name, "MigrationFailed");
  assert.is(error.file, "0002_first_line.sql");
  assert.is(error.line, 4);
  assert.is(error.code, "42P01");
  assert.match(
    error.message,
    /0002_first_line\.sql failed at line 4: relation "nowhere" does not exist/,
  );
});

test("a failure at run time, which has no position, names the file and the place in its block", async (context) => {
  await context.folder.write(
    "0002_first_line.sql",
    "do $$ begin\n  raise exception 'no\nway';\nend $$;",
  );
  const error = (await failure(context)) as MigrationFailed;
  assert.is(error.line, undefined);
  assert.match(
    error.message,
    /^0002_first_line\.sql failed: no way \(SQLSTATE P0001\), in .* line 2 at RAISE/,
  );
});

test("a constraint that fails at the commit is a failure of its file", async (context) => {
  await context.folder.write(
    "0002_first_line.sql",
    "create table twice (a int unique deferrable initially deferred); insert into twice values (1), (1);",
  );
  assert.instance(await failure(context), MigrationFailed);
  assert.equal(await appliedVersions(context.client), [1]);
});

test("a file that ends the transaction itself is refused and not recorded", async (context) => {
  await context.folder.write("0002_first_line.sql", "commit; begin; select 1;");
  const error = (await failure(context)) as MigrationFailed;
  assert.instance(error, MigrationFailed);
  assert.match(error.message, /remove COMMIT, ROLLBACK and BEGIN from the file/);
  assert.equal(await appliedVersions(context.client), [1]);
});

test("an edited migration is refused with the way to fix it, and nothing new is applied", async (context) => {
  await run(context);
  await context.folder.write("0002_first_line.sql", "-- better\n");
  await context.folder.write("0004_new.sql", "select 1;");
  const error = (await failure(context)) as MigrationEdited;
  assert.instance(error, MigrationEdited);
  assert.is(error.file, "0002_first_line.sql");
  assert.match(error.message, /Restore the file .* new migration/);
  assert.equal(await appliedVersions(context.client), [1, 2, 3]);
});

test("a build that is older than the database is refused, naming the file that it lacks", async (context) => {
  await run(context);
  await context.folder.remove("0003_second_line.sql");
  const error = (await failure(context)) as MigrationMissing;
  assert.instance(error, MigrationMissing);
  assert.is(error.file, "0003_second_line.sql");
  assert.match(error.message, /the build is older than the database/);
});

test("a pending file before an applied one is refused", async (context) => {
  await run(context);
  await context.client.query("delete from tidemark.schema_migrations where version = 2");
  const error = (await failure(context)) as MigrationOutOfOrder;
  assert.instance(error, MigrationOutOfOrder);
  assert.is(error.file, "0002_first_line.sql");
  assert.is(error.appliedFile, "0003_second_line.sql");
});

test("an invalid folder is refused before the database is touched", async (context) => {
  await context.folder.remove("0002_first_line.sql");
  assert.instance(await failure(context), MigrationFolderInvalid);
  const { rows } = await context.client.query("select to_regnamespace('tidemark') as schema");
  assert.equal(rows, [{ schema: null }]);
});

test("a role without the right to create anything finds a database up to date, and may not replace a function", async (context) => {
  await run(context);
  const role = new URL(context.database.url).pathname.replace("/test_", "reader_");
  await context.client.query(
    `create role ${role}; grant usage on schema tidemark to ${role};
     grant select on tidemark.schema_migrations, tidemark.schema_functions to ${role}; set role ${role}`,
  );
  try {
    const options = { directory: context.folder.directory };
    assert.equal(await migrate(context.client, options), []);
    await context.folder.write("functions/answer.sql", ANSWER(43));
    const error = await migrate(context.client, options).catch((thrown: unknown) => thrown);
    assert.instance(error, MigrationFailed);
    assert.is((error as MigrationFailed).file, "functions/answer.sql");
    assert.is((error as MigrationFailed).code, "42501");
  } finally {
    await context.client.query(`reset role; drop owned by ${role}; drop role ${role}`);
  }
});

const answerOf = async ({ client }: Context): Promise<number | undefined> =>
  (await client.query<{ answer: number }>("select tidemark.answer() as answer")).rows[0]?.answer;

test("a function is applied again when its file changed, and not otherwise", async (context) => {
  await run(context);
  assert.is(await answerOf(context), 42);
  assert.equal(await appliedFiles(context), []);
  await context.folder.write("functions/answer.sql", ANSWER(43));
  assert.equal(await appliedFiles(context), ["functions/answer.sql"]);
  assert.is(await answerOf(context), 43);
  assert.equal(await appliedFiles(context), []);
});

test("a new function is applied after the migrations that it needs", async (context) => {
  await run(context);
  await context.folder.write("0004_new.sql", "create table fresh (a int)");
  await context.folder.write(
    "functions/a_new_one.sql",
    "create or replace function tidemark.a_new_one() returns bigint language sql as 'select count(*) from fresh'",
  );
  assert.equal(await appliedFiles(context), ["0004_new.sql", "functions/a_new_one.sql"]);
});

test("owner and rights of a function survive a change", async (context) => {
  await run(context);
  const rights = async () => {
    const { rows } = await context.client.query<{ owner: string; acl: string }>(
      `select proowner::regrole::text as owner, proacl::text as acl from pg_proc
       where oid = 'tidemark.answer'::regproc`,
    );
    return rows[0];
  };
  await context.client.query("grant execute on function tidemark.answer to pg_monitor");
  const before = await rights();
  assert.match(before?.acl ?? "", "pg_monitor=X");
  assert.not.match(before?.acl ?? "", /[{,]=X/);
  await context.folder.write("functions/answer.sql", ANSWER(43));
  await run(context);
  assert.equal(await rights(), before);
});

test("a failing function is rolled back, and applied once it is fixed", async (context) => {
  await run(context);
  await context.folder.write("functions/answer.sql", `${ANSWER(43)} select nothing;`);
  const error = (await failure(context)) as MigrationFailed;
  assert.instance(error, MigrationFailed);
  assert.match(error.message, /^functions\/answer\.sql failed at line 2: column "nothing"/);
  assert.is(await answerOf(context), 42);
  await context.folder.write("functions/answer.sql", ANSWER(43));
  assert.equal(await appliedFiles(context), ["functions/answer.sql"]);
});

test("a file that does not create exactly the function of its name is refused", async (context) => {
  await run(context);
  await context.folder.write(
    "functions/answer.sql",
    "create or replace function tidemark.answer(text) returns int language sql as 'select 43'",
  );
  assert.match(String(await failure(context)), "there are 2. If its parameters changed, drop");
  await context.folder.write("functions/answer.sql", ANSWER(42));
  await context.folder.write("functions/nothing.sql", "select 1");
  assert.match(
    String(await failure(context)),
    "exactly one function tidemark.nothing, and there are 0",
  );
  assert.is(await answerOf(context), 42);
});

test("a build whose function was replaced by a newer build is refused, and so is one without the function", async (context) => {
  await run(context);
  await context.folder.write("functions/answer.sql", ANSWER(43));
  await run(context);
  await context.folder.write("functions/answer.sql", ANSWER(42));
  const replaced = (await failure(context)) as BuildOutdated;
  assert.instance(replaced, BuildOutdated);
  assert.match(
    replaced.message,
    /newer version of functions\/answer\.sql, applied \d{4}-.*Run the newer build/,
  );
  await context.folder.remove("functions/answer.sql");
  const missing = (await failure(context)) as MigrationMissing;
  assert.instance(missing, MigrationMissing);
  assert.is(missing.file, "functions/answer.sql");
  assert.is(await answerOf(context), 43);
});

const statesIn = async ({ database, folder }: Context): Promise<ReadonlyArray<string>> => {
  const { migrations, functions } = await schemaStatus(database.url, folder);
  return [...migrations, ...functions].map(({ file, state }) => `${file} ${state}`);
};

test("before the first migration everything is pending, and reading the status writes nothing", async (context) => {
  assert.equal(await statesIn(context), [
    "0001_ledger.sql pending",
    "0002_first_line.sql pending",
    "0003_second_line.sql pending",
    "functions/answer.sql pending",
  ]);
  const { rows } = await context.client.query("select to_regnamespace('tidemark') as schema");
  assert.equal(rows, [{ schema: null }]);
});

test("the status distinguishes applied, edited, missing, pending and outdated files, and says when they were applied", async (context) => {
  const { database, folder } = context;
  await run(context);
  const status = await schemaStatus(database.url, folder);
  for (const { appliedAt } of [...status.migrations, ...status.functions]) {
    assert.instance(appliedAt, Date);
  }
  assert.is(pendingOf(status), undefined);
  assert.is(problemOf(status), undefined);

  await folder.write("0004_new.sql", "select 1");
  await folder.write("functions/answer.sql", ANSWER(43));
  assert.is(
    pendingOf(await schemaStatus(database.url, folder)),
    "1 migration and 1 function are pending",
  );
  await run(context);
  await folder.write("0002_first_line.sql", "select 2");
  await folder.remove("0004_new.sql");
  await folder.write("functions/answer.sql", ANSWER(42));
  assert.equal(await statesIn(context), [
    "0001_ledger.sql applied",
    "0002_first_line.sql edited",
    "0003_second_line.sql applied",
    "0004_new.sql missing_file",
    "functions/answer.sql outdated_file",
  ]);
});

test("a database whose encoding cannot store every text is refused before anything is created", async ({
  folder,
}) => {
  for (const encoding of ["LATIN1", "SQL_ASCII"]) {
    const database = await createTestDatabase(`encoding '${encoding}' locale 'C'`);
    try {
      const error = await migrate(database.url, { directory: folder.directory }).catch(
        (thrown: unknown) => thrown,
      );
      assert.instance(error, DatabaseEncodingUnfit);
      assert.match((error as Error).message, `has the encoding ${encoding}, which cannot store`);
      await withClient(database.url, async (client) => {
        const made = await client.query("select to_regnamespace('tidemark') as schema");
        assert.equal(made.rows, [{ schema: null }]);
      });
    } finally {
      await database.drop();
    }
  }
});

test.run();
