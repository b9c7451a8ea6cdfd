import { hash } from "node:crypto";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { EVENT_RULES_DEFAULT } from "../../../../core/event/rules.ts";
import { openApiDocument } from "../document.ts";
import { referencePage } from "./page.ts";

const test = suite("referencePage");

const document = openApiDocument(EVENT_RULES_DEFAULT);
const { html, contentSecurityPolicy } = referencePage(document);

test("it shows every operation, every status and every schema", () => {
  for (const methods of Object.values(document.paths)) {
    for (const operation of Object.values(methods)) {
      const { operationId, responses } = operation as unknown as {
        operationId: string;
        responses: object;
      };
      const start = html.indexOf(`<section class="operation" id="${operationId}"`);
      assert.ok(start > 0, operationId);
      const section = html.slice(start, html.indexOf("</section>", start));
      for (const status of Object.keys(responses)) {
        assert.match(section, new RegExp(`class="status s.">${status}<`));
      }
    }
  }
  for (const name of Object.keys(document.components.schemas)) {
    assert.match(html, `id="schema-${name}"`);
  }
});

test("every link of it leads somewhere on it, or to the document", () => {
  const links = [...html.matchAll(/href="([^"]*)"/g)].map(([, link = ""]) => link);
  assert.ok(links.length > 50);
  for (const link of new Set(links)) {
    if (link === "#" || link === "openapi.json") continue;
    assert.ok(html.includes(`id="${link.slice(1)}"`), link);
  }
});

test("it loads nothing: no address of anywhere else is in it", () => {
  assert.not.match(html, /\b(?:src|action)=/);
  assert.not.match(html, /https?:\/\//);
  assert.not.match(html, /@import|url\(/);
});

test("no style and no script is in it but those of the policy, to the byte", () => {
  for (const name of ["style", "script"]) {
    const texts = [...html.matchAll(new RegExp(`<${name}[^>]*>([^]*?)</${name}>`, "g"))];
    assert.is(texts.length, 1);
    const digest = hash("sha256", texts[0]?.[1] ?? "", "base64");
    assert.ok(contentSecurityPolicy.includes(`${name}-src 'sha256-${digest}'`));
  }
  assert.not.match(html, /\s(?:style|on\w+)=/);
});

test("whatever is in the document is text on the page", () => {
  const hostile = '<script>alert("x")</script>';
  const changed = structuredClone(document);
  changed.info.description = hostile;
  Object.assign(changed.components.schemas["Event"] ?? {}, { description: hostile });
  const page = referencePage(changed).html;
  assert.not.match(page, hostile);
  assert.match(page, "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;");
});

test.run();
