import { hash } from "node:crypto";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { EVENT_RULES_DEFAULT } from "../../../../core/event/rules.ts";
import { openApiDocument } from "../document.ts";
import { referencePage } from "./page.ts";

const test = suite("referencePage");

const document = openApiDocument(EVENT_RULES_DEFAULT);
const { html, contentSecurityPolicy } = referencePage(document);

test("shows every operation, status and schema", () => {
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

test("every link leads to a place on the page or to the document", () => {
  const links = [...html.matchAll(/href="([^"]*)"/g)].map(([, link = ""]) => link);
  assert.ok(links.length > 50);
  for (const link of new Set(links)) {
    if (link === "#" || link === "openapi.json") continue;
    assert.ok(html.includes(`id="${link.slice(1)}"`), link);
  }
});

test("loads nothing and contains no external URL", () => {
  assert.not.match(html, /\b(?:src|action)=/);
  assert.not.match(html, /https?:\/\//);
  assert.not.match(html, /@import|url\(/);
});

test("the policy allows exactly its style and its script", () => {
  for (const name of ["style", "script"]) {
    const texts = [...html.matchAll(new RegExp(`<${name}[^>]*>([^]*?)</${name}>`, "g"))];
    assert.is(texts.length, 1);
    const digest = hash("sha256", texts[0]?.[1] ?? "", "base64");
    assert.ok(contentSecurityPolicy.includes(`${name}-src 'sha256-${digest}'`));
  }
  assert.not.match(html, /\s(?:style|on\w+)=/);
});

test("escapes everything that the document contains", () => {
  const hostile = '<script>alert("x")</script>';
  const changed = structuredClone(document);
  changed.info.description = hostile;
  Object.assign(changed.components.schemas["Event"] ?? {}, { description: hostile });
  const page = referencePage(changed).html;
  assert.not.match(page, hostile);
  assert.match(page, "&#60;script&#62;alert(&#34;x&#34;)&#60;/script&#62;");
});

test("every control has a label, and no part needs more width than a phone has", () => {
  const controls = html.match(/<(?:input|textarea)\b/g) ?? [];
  const labelled = html.match(/<label\s*>[^<]+<(?:input|textarea)\b/g) ?? [];
  assert.ok(controls.length > 10);
  assert.is(labelled.length, controls.length);
  assert.not.match(html, /<table|nowrap/);
});

test.run();
