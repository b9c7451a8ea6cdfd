import { hash } from "node:crypto";
import { readFileSync } from "node:fs";

import type { OpenApiDocument } from "../document.ts";
import { schemaFields, schemaId } from "./fields.ts";
import { type Html, html, markdown } from "./html.ts";
import { methodBadge, operationSection, type ShownOperation } from "./operation_section.ts";

/** The reference page and its Content-Security-Policy. */
export interface ReferencePage {
  readonly html: string;
  /** Allows only the page's own style and script, and requests only to this service. */
  readonly contentSecurityPolicy: string;
}

const read = (name: string): string => readFileSync(new URL(name, import.meta.url), "utf8");

/** Renders the document as a page that is complete without its script, which only sends requests. */
export const referencePage = (document: OpenApiDocument): ReferencePage => {
  const style = read("page.css");
  const script = read("try.js");
  const { html: text } = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${document.info.title} API</title>
        <link rel="service-desc" type="application/json" href="openapi.json" />
        ${element("style", style)}
      </head>
      <body>
        <nav aria-label="Operations">${navigation(document)}</nav>
        <main>
          <h1>${document.info.title} <small>API ${document.info.version}</small></h1>
          <p class="lead">${document.info.summary}</p>
          ${markdown(document.info.description)}
          <p>
            For clients and tools:
            <a href="openapi.json">openapi.json</a> (OpenAPI ${document.openapi})
          </p>
          <form>
            <label
              >API key<input id="key" type="password" autocomplete="off" placeholder="tm_…" />
            </label>
            <p>Only the requests that you try here use the key; the page does not store it.</p>
          </form>
          ${document.tags.map(
            ({ name, description }) =>
              html`<h2>${name}</h2>
                <p>${description}</p>
                ${entriesOf(document, name).map(({ method, path, operation }) =>
                  operationSection(method, path, operation, document.components.examples),
                )}`,
          )}
          <h2 id="schemas">Schemas</h2>
          ${Object.entries(document.components.schemas).map(
            ([name, schema]) =>
              html` <section id="${schemaId(name)}">
                <h3>${name}</h3>
                ${markdown(schema.description ?? "")} ${schemaFields(schema)}
              </section>`,
          )}
        </main>
        ${element("script", script)}
      </body>
    </html> `;
  return { html: text, contentSecurityPolicy: policyFor(style, script) };
};

/** Inserts the text unchanged, so that it matches its hash in the policy. */
const element = (name: "style" | "script", text: string): Html => ({
  html: `<${name}>${text}</${name}>`,
});

const policyFor = (style: string, script: string): string =>
  [
    "default-src 'none'",
    `style-src ${sourceOf(style)}`,
    `script-src ${sourceOf(script)}`,
    "connect-src 'self'",
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
