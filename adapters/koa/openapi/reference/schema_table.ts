import type { JsonSchema } from "../json_schema.ts";
import { type Html, html, inline } from "./html.ts";

/** Where a reference leads, such as `Event` for `#/components/schemas/Event`. */
const nameOf = (ref: string): string => ref.slice(ref.lastIndexOf("/") + 1);

/** The id of a schema's section on the page. */
export const schemaId = (name: string): string => `schema-${name}`;

/** What a value is, in a few words, with a link to what has a name. */
export const typeOf = (schema: JsonSchema): Html => {
  const { $ref, type, enum: values, items, anyOf, additionalProperties } = schema;
  if ($ref !== undefined) {
    return html`<a href="#${schemaId(nameOf($ref))}">${nameOf($ref)}</a>`;
  }
  if (values !== undefined) return html`one of ${alternatives(values, code)}`;
  if ("const" in schema) return code(schema.const);
  if (anyOf !== undefined) return html`${alternatives(anyOf, typeOf)}`;
  if (type === "array") return html`array of ${typeOf(items ?? {})}${bounds(schema)}`;
  if (type === "object" && typeof additionalProperties === "object" && !("properties" in schema)) {
    return Object.keys(additionalProperties).length === 0
      ? html`object`
      : html`object, each value ${typeOf(additionalProperties)}`;
  }
  if (type === undefined) return html`any`;
  const format = schema.format === undefined ? "" : ` (${schema.format})`;
  return html`${[type].flat().join(" or ")}${format}${bounds(schema)}`;
};

const alternatives = <A>(values: ReadonlyArray<A>, show: (value: A) => Html): ReadonlyArray<Html> =>
  values.map((value, i) =>
    i === 0 ? show(value) : html`${i === values.length - 1 ? " or " : ", "}${show(value)}`,
  );

const code = (value: unknown): Html =>
  html`<code>${typeof value === "string" ? value : JSON.stringify(value)}</code>`;

const BOUNDS = [
  ["minLength", "maxLength", " characters"],
  ["minItems", "maxItems", " of them"],
  ["minimum", "maximum", ""],
] as const;

/** How long, how many or how much, such as `, 1 to 255 characters`. */
const bounds = (schema: JsonSchema): string =>
  BOUNDS.map(([least, most, unit]) => {
    const [min, max] = [schema[least], schema[most]];
    if (min === undefined && max === undefined) return "";
    if (max === undefined) return `, at least ${min}${unit}`;
    return `, ${min === undefined ? "at most" : `${min} to`} ${max}${unit}`;
  }).join("");

/** A table of what an object holds; nested objects without a name follow below their field. */
export const schemaTable = (schema: JsonSchema): Html => {
  const rows = rowsOf(schema, "");
  if (rows.length === 0) return html`<p class="type">${typeOf(schema)}</p>`;
  return html`<div class="scroll">
    <table>
      <thead>
        <tr>
          <th>Field</th>
          <th>Type</th>
          <th>Meaning</th>
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`;
};

const rowsOf = (schema: JsonSchema, prefix: string): ReadonlyArray<Html> => {
  const required = new Set(schema.required);
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const path = `${prefix}${name}`;
    const own = html`<tr>
      <td><code>${path}</code>${required.has(name) ? undefined : OPTIONAL}</td>
      <td class="type">${typeOf(property)}</td>
      <td>${inline(property.description ?? "")}${pattern(property)}</td>
    </tr>`;
    const items = property.items;
    return items === undefined
      ? [own, ...rowsOf(property, `${path}.`)]
      : [own, ...rowsOf(items, `${path}[].`)];
  });
};

const OPTIONAL = html` <small>optional</small>`;

/** A pattern, where it is not said by the format already. */
const pattern = ({ pattern: text, format }: JsonSchema): Html | undefined =>
  text === undefined || format !== undefined
    ? undefined
    : html` <small class="pattern">matches <code>${text}</code></small>`;
