import { hash } from "node:crypto";
import { readFileSync } from "node:fs";

import type { OpenApiDocument } from "../document.ts";
import type { JsonSchema } from "../json_schema.ts";
import { type Html, html, markdown } from "./html.ts";
import { methodBadge, operationSection, type ShownOperation } from "./operation_section.ts";
import { schemaId, schemaTable } from "./schema_table.ts";

/** The reference page and what a browser may do for it. */
export interface ReferencePage {
  readonly html: string;
  /** Lets nothing load or run but what the page itself holds, and nothing be asked but this service. */
  readonly contentSecurityPolicy: string;
}

const read = (name: string): string => readFileSync(new URL(name, import.meta.url), "utf8");

/** The document as a page for people: whole without a script, which only sends requests to try. */
export const referencePage = (document: OpenApiDocument): ReferencePage => {
  const style = read("page.css");
  const script = read("try.js");
  const { html: text } = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${document.info.title} API</title>
        <link rel="service-desc" type="application/json" href="openapi.json" />
        ${element("style", style)}
      </head>
      <body>
        <nav aria-label="Operations">${navigation(document)}</nav>
        <main>
          <header>
            <h1>${document.info.title} <small>API ${document.info.version}</small></h1>
            <p class="lead">${document.info.summary}</p>
            ${markdown(document.info.description)}
            <p>
              <a class="button" href="openapi.json">openapi.json</a>
              <span class="hint">OpenAPI ${document.openapi}, for clients and tools</span>
            </p>
            <form class="key">
              <label
                ><span>API key</span
                ><input
                  id="key"
                  type="password"
                  autocomplete="off"
                  placeholder="tm_… — only for what you try here; it is kept nowhere"
              /></label>
            </form>
          </header>
          ${groups(document)}
          <section id="schemas">
            <h2>Schemas</h2>
            ${schemas(document)}
          </section>
        </main>
        ${element("script", script)}
      </body>
    </html> `;
  return { html: text, contentSecurityPolicy: policyFor(style, script) };
};

/** The element's text stays as it is to the byte, or it would not be the one of the policy. */
const element = (name: "style" | "script", text: string): Html => ({
  html: `<${name}>${text}</${name}>`,
});

const policyFor = (style: string, script: string): string =>
  [
    "default-src 'none'",
    `style-src ${sourceOf(style)}`,
    `script-src ${sourceOf(script)}`,
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");

const sourceOf = (text: string): string => `'sha256-${hash("sha256", text, "base64")}'`;

interface Entry {
  readonly method: string;
  readonly path: string;
  readonly operation: ShownOperation;
}

const entriesOf = ({ paths }: OpenApiDocument, tag: string): ReadonlyArray<Entry> =>
  Object.entries(paths)
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        method,
        path,
        operation: operation as ShownOperation,
      })),
    )
    .filter(({ operation }) => operation.tags.includes(tag));

const navigation = (document: OpenApiDocument): ReadonlyArray<Html> => [
  html`<p class="brand"><a href="#">${document.info.title}</a></p>`,
  ...document.tags.map(
    ({ name }) =>
      html`<p>${name}</p>
        <ul>
          ${entriesOf(document, name).map(
            ({ method, operation: { operationId, summary } }) =>
              html`<li><a href="#${operationId}">${methodBadge(method)} ${summary}</a></li>`,
          )}
        </ul>`,
  ),
  html`<p><a href="#schemas">Schemas</a></p>`,
];

const groups = (document: OpenApiDocument): ReadonlyArray<Html> =>
  document.tags.map(
    ({ name, description }) =>
      html`<section class="group">
        <h2>${name}</h2>
        <p>${description}</p>
        ${entriesOf(document, name).map(({ method, path, operation }) =>
          operationSection(method, path, operation, document.components.examples),
        )}
      </section>`,
  );

const schemas = ({ components }: OpenApiDocument): ReadonlyArray<Html> =>
  Object.entries(components.schemas).map(
    ([name, schema]: [string, JsonSchema]) =>
      html` <section class="schema" id="${schemaId(name)}">
        <h3>${name}</h3>
        ${markdown(schema.description ?? "")} ${schemaTable(schema)}
      </section>`,
  );
