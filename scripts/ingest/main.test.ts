import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { startApi } from "../../adapters/koa/api.fixture.ts";
import { runModule } from "../test/run_program.ts";

const test = suite("npm run ingest");

const run = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) =>
  runModule(new URL("main.ts", import.meta.url), args, { TIDEMARK_KEY: "", ...env });

const SECRET = "tm_aaaaaaaaaaaa_secret";

/** A fake service, and the `Authorization` headers that it received. */
const startFake = async (answer: (request: IncomingMessage, response: ServerResponse) => void) => {
  const authorizations: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    authorizations.push(request.headers.authorization);
    request.resume().once("end", () => answer(request, response));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = () =>
    new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${port}`, authorizations, close };
};

test("invalid arguments are one sentence and exit code 2, before anything is sent", async () => {
  for (const [args, sentence] of [
    [["--batch", "0"], "--batch must be a whole number from 1 to 1000, not 0."],
    [["--batch", "1001"], "--batch must be a whole number from 1 to 1000, not 1001."],
    [["many"], "The number of events must be a whole number from 1 to 10000000, not many."],
    [["0"], "The number of events must be a whole number from 1 to 10000000, not 0."],
    [["--connections", "0"], "--connections must be a whole number from 1 to 1000, not 0."],
    [["--accounts", "x"], "--accounts must be a whole number from 1 to 1000000, not x."],
    [["--users=-1"], "--users must be a whole number from 1 to 1000000, not -1."],
    [["--duplicates", "2"], "--duplicates must be a number from 0 to 1, not 2."],
    [["--url", "nonsense"], "--url must be a URL such as http://127.0.0.1:3000, without a path."],
    [["--key", "a b"], "--key is not an API key: it contains spaces or other invalid characters."],
    [["1", "2"], "Unexpected argument 2."],
    [["--nope"], "Unknown option --nope."],
    [["--seed"], "--seed needs a value."],
  ] as const) {
    const { code, out, err } = await run(["--url", "http://127.0.0.1:2", ...args]);
    assert.equal([code, out], [2, ""], args.join(" "));
    assert.is(
      err,
      `${sentence}\n\nUsage: npm run ingest -- [EVENTS] [OPTIONS]\nAdd --help for details.\n`,
    );
  }
  const help = await run(["--help"]);
  assert.is(help.code, 0);
  assert.match(help.out, /^Usage: npm run ingest[^]*TIDEMARK_KEY/);
});

test("an unreachable service is one sentence with a remedy, and exit code 1", async () => {
  assert.equal(await run(["10", "--url", "http://127.0.0.1:2"]), {
    code: 1,
    out: "",
    err:
      "The service at http://127.0.0.1:2 cannot be reached: connect ECONNREFUSED 127.0.0.1:2. " +
      "Start one with npm start, or name another one with --url.\n",
  });
});

test("without --url it uses the address in HOST and PORT", async () => {
  const fake = await startFake((_, response) => {
    response.statusCode = 401;
    response.end("{}");
  });
  const { port } = new URL(fake.url);
  const { err } = await run(["10"], { HOST: "", PORT: port });
  await fake.close();
  assert.match(err, `The service at ${fake.url} needs a valid API key`);
  const invalid = await run(["10"], { PORT: "http" });
  assert.is(invalid.code, 2);
  assert.match(
    invalid.err,
    /^The address in HOST and PORT must be a URL such as \S+, without a path\.\n/,
  );
});

test("a refusal is shown in the words of the service", async () => {
  const detail = "The service has taken in as much as it can hold.";
  const fake = await startFake(({ method }, response) => {
    response.statusCode = method === "GET" ? 200 : 503;
    response.end(JSON.stringify({ title: "The queue is full", detail }));
  });
  const { code, out, err } = await run(["10", "--url", fake.url]);
  await fake.close();
  assert.equal([code, out], [1, ""]);
  assert.is(err, `POST /events answered 503: The queue is full. ${detail}\n`);
});

test("the key from the option or the environment is in every request, and is never printed", async () => {
  const fake = await startFake(({ method }, response) => {
    response.statusCode = method === "GET" ? 200 : 403;
    response.end("{}");
  });
  const byOption = await run(["10", "--url", fake.url, "--key", SECRET]);
  const byVariable = await run(["10", "--url", fake.url], { TIDEMARK_KEY: SECRET });
  await fake.close();
  assert.equal(new Set(fake.authorizations), new Set([`Bearer ${SECRET}`]));
  const refusing = await startFake((_, response) => {
    response.statusCode = 401;
    response.end("{}");
  });
  const refused = await run(["10", "--url", refusing.url, "--key", SECRET]);
  await refusing.close();
  assert.is(refused.code, 1);
  assert.match(
    refused.err,
    /needs a valid API key with the scopes write and read\. .*TIDEMARK_KEY\.\n$/,
  );
  const bad = await run(["10", "--key", `${SECRET} `]);
  for (const { out, err } of [byOption, byVariable, refused, bad]) {
    assert.not.match(out + err, "secret");
  }
});

test("summaries are compared with the sent events", async () => {
  const api = await startApi();
  const settling = setInterval(() => void api.drain(), 20);
  const { code, out, err } = await run([
    "300",
    "--batch",
    "50",
    "--accounts",
    "5",
    "--url",
    api.url,
  ]);
  clearInterval(settling);
  await api.close();
  assert.equal([code, err], [0, ""]);
  assert.match(out, /^300 events, 50 per request, 16 connections\n[^]*Every summary is exact\.\n$/);
});

test.run();
