import type { JsonSchema } from "../json_schema.ts";
import { fieldList, schemaFields, typeOf } from "./fields.ts";
import { type Html, html, inline, json, markdown } from "./html.ts";

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

/** Examples of problems by the last segment of their type. */
export type Examples = Readonly<Record<string, { readonly value?: unknown }>>;

export const methodBadge = (method: string): Html =>
  html`<b class="method ${method}">${method.toUpperCase()}</b>`;

/** The section of one operation. */
export const operationSection = (
  method: string,
  path: string,
  operation: ShownOperation,
  examples: Examples,
): Html =>
  html` <section class="operation" id="${operation.operationId}">
    <h3><a href="#${operation.operationId}">${operation.summary}</a></h3>
    <p class="endpoint">${methodBadge(method)} <code>${path}</code> <i>${access(operation)}</i></p>
    ${markdown(operation.description)} ${parameters(operation.parameters)} ${requestBody(operation)}
    <h4>Responses</h4>
    ${Object.entries(operation.responses)
      .toSorted(([a], [b]) => Number(a) - Number(b))
      .map(([status, response]) => responseDetails(status, response, examples))}
    ${tryForm(method, path, operation)}
  </section>`;

const access = ({ security }: ShownOperation): string => {
  const scopes = new Set(security.flatMap((way) => Object.values(way).flat()));
  return scopes.size === 0 ? "no key needed" : `key with scope ${[...scopes].join(" or ")}`;
};

const parameters = (all: ReadonlyArray<Parameter>): Html | undefined =>
  all.length === 0
    ? undefined
    : html`<h4>Parameters</h4>
        ${fieldList(
          all.map(({ name, in: where, required, description, schema }) => ({
            name,
            type: typeOf(schema),
            note: `${where}${required ? "" : ", optional"}`,
            description: [
              ...inline(description),
              "default" in schema ? html` Default: <code>${defaultOf(schema)}</code>.` : html``,
            ],
          })),
        )}`;

/** The default of a parameter as one would write it in a query. */
const defaultOf = ({ default: value }: JsonSchema): string =>
  typeof value === "string" || typeof value === "number" ? String(value) : "";

const requestBody = ({ requestBody: body }: ShownOperation): Html | undefined =>
  body === undefined
    ? undefined
    : html`<h4>Request body</h4>
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
  html` <details ${status.startsWith("2") ? html`open` : undefined}>
    <summary><b class="status s${status[0]}">${status}</b> ${inline(description)}</summary>
    ${headerList(headers)}
    ${Object.entries(content).map(([type, media]) => mediaOf(type, media, examples))}
  </details>`;

/** Omits the headers that all responses share: the document describes them in one place. */
const headerList = (headers: Response["headers"]): Html | undefined => {
  const own = Object.entries(headers).flatMap(([name, { description }]) =>
    description === undefined ? [] : [{ name, description: inline(description) }],
  );
  return own.length === 0 ? undefined : fieldList(own);
};

const mediaOf = (type: string, { schema, example, examples }: Media, all: Examples): Html => {
  if (examples === undefined) {
    const named = "$ref" in schema ? html`: ${typeOf(schema)}` : undefined;
    return html`<p><code>${type}</code>${named}</p>
      ${schema.properties === undefined ? undefined : schemaFields(schema)}${json(example)}`;
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
            >${name}<input
              name="${name}"
              data-in="${where}"
              value="${required ? example : ""}"
              placeholder="${defaultOf(schema) || example}"
              ${required ? html`required` : undefined}
          /></label>`,
      )}
      ${
        operation.requestBody === undefined
          ? undefined
          : html`<label
              >body<textarea data-in="body" rows="12" spellcheck="false">
${JSON.stringify(Object.values(operation.requestBody.content)[0]?.example, null, 2)}</textarea>
            </label>`
      }
      <button>Send</button>
      <output></output>
    </form>
  </details>`;
};
