import type { JsonSchema } from "../json_schema.ts";
import { type Html, html, inline, json, markdown } from "./html.ts";
import { schemaTable, typeOf } from "./schema_table.ts";

/** The parts of an operation of the document that the page shows. */
export interface ShownOperation {
  readonly operationId: string;
  readonly tags: ReadonlyArray<string>;
  readonly summary: string;
  readonly description: string;
  readonly security: ReadonlyArray<Readonly<Record<string, ReadonlyArray<string>>>>;
  readonly parameters: ReadonlyArray<Parameter>;
  readonly requestBody?: { readonly description: string; readonly content: Content };
  readonly responses: Readonly<Record<string, Response>>;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required: boolean;
  readonly description: string;
  readonly schema: JsonSchema;
  readonly example?: string | number;
}

interface Response {
  readonly description: string;
  readonly headers: Readonly<Record<string, { readonly description?: string }>>;
  readonly content?: Content;
}

type Content = Readonly<Record<string, Media>>;

interface Media {
  readonly schema: JsonSchema;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly $ref: string }>>;
}

/** What the examples of problems are, by the end of their type. */
export type Examples = Readonly<Record<string, { readonly value?: unknown }>>;

export const methodBadge = (method: string): Html =>
  html`<span class="method ${method}">${method.toUpperCase()}</span>`;

/** The section of one operation. */
export const operationSection = (
  method: string,
  path: string,
  operation: ShownOperation,
  examples: Examples,
): Html =>
  html` <section class="operation" id="${operation.operationId}">
    <h3><a href="#${operation.operationId}">${operation.summary}</a></h3>
    <p class="endpoint">${methodBadge(method)} <code>${path}</code> ${scopes(operation)}</p>
    ${markdown(operation.description)} ${parameters(operation.parameters)} ${requestBody(operation)}
    <h4>Answers</h4>
    ${Object.entries(operation.responses)
      .toSorted(([a], [b]) => Number(a) - Number(b))
      .map(([status, response]) => responseDetails(status, response, examples))}
    ${tryForm(method, path, operation)}
  </section>`;

const scopes = ({ security }: ShownOperation): Html => {
  const names = new Set(security.flatMap((way) => Object.values(way).flat()));
  return names.size === 0
    ? html`<span class="scope open">for everybody</span>`
    : html`<span class="scope">key with ${[...names].join(" or ")}</span>`;
};

const parameters = (all: ReadonlyArray<Parameter>): Html | undefined =>
  all.length === 0
    ? undefined
    : html`<h4>Parameters</h4>
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th>Name</th>
                <th>Type</th>
                <th>Meaning</th>
              </tr>
            </thead>
            <tbody>
              ${all.map(
                ({ name, in: where, required, description, schema }) =>
                  html`<tr>
                    <td>
                      <code>${name}</code> <small>${where}${required ? "" : ", optional"}</small>
                    </td>
                    <td class="type">${typeOf(schema)}</td>
                    <td>
                      ${inline(description)}${
                        "default" in schema
                          ? html` <small
                              >Unless asked: <code>${shownDefault(schema)}</code>.</small
                            >`
                          : undefined
                      }
                    </td>
                  </tr>`,
              )}
            </tbody>
          </table>
        </div>`;

/** What a parameter is unless it is given, as one would write it. */
const shownDefault = ({ default: value }: JsonSchema): string =>
  typeof value === "string" || typeof value === "number" ? String(value) : "";

const requestBody = ({ requestBody: body }: ShownOperation): Html | undefined =>
  body === undefined
    ? undefined
    : html`<h4>Body</h4>
        ${Object.entries(body.content).map(
          ([type, { schema, example }]) =>
            html`<p><code>${type}</code>: ${typeOf(schema)}. ${body.description}</p>
              ${json(example)}`,
        )}`;

const responseDetails = (
  status: string,
  { description, headers, content = {} }: Response,
  examples: Examples,
): Html =>
  html` <details class="answer" ${status.startsWith("2") ? OPEN : undefined}>
    <summary><span class="status s${status[0]}">${status}</span> ${inline(description)}</summary>
    ${headerList(headers)}
    ${Object.entries(content).map(([type, media]) => mediaOf(type, media, examples))}
  </details>`;

const OPEN = html`open`;

/** The shared headers, which are told in one place, are left out. */
const headerList = (headers: Response["headers"]): Html | undefined => {
  const own = Object.entries(headers).filter(([, { description }]) => description !== undefined);
  return own.length === 0
    ? undefined
    : html`<dl>
        ${own.map(
          ([name, { description = "" }]) =>
            html`<dt><code>${name}</code></dt>
              <dd>${inline(description)}</dd>`,
        )}
      </dl>`;
};

const mediaOf = (type: string, { schema, example, examples }: Media, all: Examples): Html => {
  if (examples === undefined) {
    const named = "$ref" in schema ? html`: ${typeOf(schema)}` : undefined;
    return html`<p><code>${type}</code>${named}</p>
      ${schema.properties === undefined ? undefined : schemaTable(schema)}${json(example)}`;
  }
  return html`<p><code>${type}</code>: ${typeOf(schema)}</p>
    ${Object.keys(examples).map((name) => json(all[name]?.value))}`;
};

const tryForm = (method: string, path: string, operation: ShownOperation): Html => {
  const inputs = operation.parameters.filter(({ in: where }) => where !== "header");
  return html` <details class="try">
    <summary>Try it</summary>
    <form data-method="${method.toUpperCase()}" data-path="${path}">
      ${inputs.map(
        ({ name, in: where, required, schema, example = "" }) =>
          html`<label
            ><span>${name}</span
            ><input
              name="${name}"
              data-in="${where}"
              value="${required ? example : ""}"
              placeholder="${shownDefault(schema) || example}"
              ${required ? REQUIRED : undefined}
          /></label>`,
      )}
      ${
        operation.requestBody === undefined
          ? undefined
          : html`<label
              ><span>body</span
              ><textarea data-in="body" rows="12" spellcheck="false">
${JSON.stringify(Object.values(operation.requestBody.content)[0]?.example, null, 2)}</textarea>
            </label>`
      }
      <button>Send</button>
      <output></output>
    </form>
  </details>`;
};

const REQUIRED = html`required`;
