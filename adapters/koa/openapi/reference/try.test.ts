import { readFile } from "node:fs/promises";
import { runInNewContext } from "node:vm";

import { Effect } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { type Access, Unauthenticated } from "../../../../core/access/access.ts";
import { ANYONE } from "../../../../core/access/principal.ts";
import { EVENT_RULES_DEFAULT } from "../../../../core/event/rules.ts";
import { type Api, get, startApi } from "../../api.fixture.ts";
import { makeContract } from "../contract.fixture.ts";
import { openApiDocument } from "../document.ts";

const test = suite<{ api: Api }>("trying requests on the reference page");

test.before(async (context) => {
  context.api = await startApi();
});
test.after(async ({ api }) => {
  await api.close();
});

interface Field {
  value: string;
  readonly dataset: Record<string, string>;
}

const fieldOf = (value: string): Field => ({ value, dataset: {} });

/** The parts of the form that posts events which the script uses, with the example of the document. */
const openPage = async (api: Api) => {
  const document = openApiDocument(EVENT_RULES_DEFAULT);
  const operation = makeContract(document).operationsAt("/events").get("POST");
  const body = fieldOf(JSON.stringify(operation?.body?.example, null, 2));
  const output = { textContent: "" };
  const [jobId, key] = [fieldOf(""), fieldOf("")];
  let submit: (event: { preventDefault: () => void }) => void = () => {};
  const form = {
    dataset: { method: "POST", path: "/events" },
    elements: {},
    querySelector: (selector: string) => (selector === "output" ? output : body),
    querySelectorAll: () => [],
    addEventListener: (_: string, listener: typeof submit) => (submit = listener),
  };
  const page = {
    baseURI: `${api.url}/docs`,
    querySelector: (selector: string) => (selector === "#key" ? key : jobId),
    querySelectorAll: (selector: string) => (selector === "form" ? [form] : [body]),
  };
  const script = await readFile(new URL("try.js", import.meta.url), "utf8");
  runInNewContext(script, { document: page, fetch, URL, URLSearchParams, performance, Date });
  return {
    body,
    jobId,
    key,
    /** Sends the form; returns the status and the shown response. */
    send: async (): Promise<{ readonly status: number; readonly text: string }> => {
      submit({ preventDefault: () => {} });
      while (output.textContent === "…") await new Promise((resolve) => setImmediate(resolve));
      return {
        status: Number(output.textContent.split("\n")[1]?.slice(0, 3)),
        text: output.textContent,
      };
    },
  };
};

test("an example can be sent repeatedly: each time its events have new ids and the current time", async ({
  api,
}) => {
  const since = Date.now();
  const { body, jobId, send } = await openPage(api);
  for (let n = 0; n < 3; n++) {
    const { events } = JSON.parse(body.value) as { events: Array<{ timestamp: string }> };
    for (const { timestamp } of events) assert.ok(Date.parse(timestamp) >= since, timestamp);
    const { status, text } = await send();
    assert.is(status, 202, text);
    assert.match(text, jobId.value);
    await api.drain();
    const job = JSON.parse((await get(api, `/jobs/${jobId.value}`)).body) as object;
    assert.match(JSON.stringify(job), '"appended":2,"duplicates":0,"conflicts":0');
  }
  const summary = await get(api, "/accounts/acme/summary?window=last_24h");
  const { totals } = JSON.parse(summary.body) as { totals: Record<string, number> };
  assert.is(
    Object.values(totals).reduce((sum, count) => sum + count),
    6,
  );
});

test("an edited body stays as it is", async ({ api }) => {
  const { body, send } = await openPage(api);
  body.value = body.value.replaceAll("acme", "globex");
  const mine = body.value;
  assert.is((await send()).status, 202);
  assert.is(body.value, mine);
});

test("requests carry the API key of the page", async () => {
  const access: Access["Service"] = {
    known: () => undefined,
    remembers: () => false,
    authenticate: (key) =>
      key === "tm_id_secret"
        ? Effect.succeed({ ...ANYONE, keyId: "id" })
        : Effect.fail(new Unauthenticated({ credential: "invalid" })),
  };
  const protectedApi = await startApi({ access });
  const { key, send } = await openPage(protectedApi);
  assert.is((await send()).status, 401);
  key.value = " tm_id_secret ";
  assert.is((await send()).status, 202);
  await protectedApi.close();
});

test.run();
