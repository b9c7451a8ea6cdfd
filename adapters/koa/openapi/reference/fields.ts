import type { JsonSchema } from "../json_schema.ts";
import { type Html, html, inline } from "./html.ts";

/** A parameter, a header, or a field of an object. */
interface Field {
  readonly name: string;
  readonly type?: Html;
  /** Such as `optional`. */
  readonly note?: string | undefined;
  readonly description: ReadonlyArray<Html>;
}

/** A list and not a table, so that descriptions stay readable on a narrow screen. */
export const fieldList = (fields: ReadonlyArray<Field>): Html =>
  html`<dl>
    ${fields.map(
      ({ name, type, note, description }) =>
        html`<dt>
            <code>${name}</code> ${type} ${note === undefined ? undefined : html`<i>${note}</i>`}
          </dt>
          <dd>${description}</dd>`,
    )}
  </dl>`;

/** The fields of an object, nested objects and array items included; for other schemas the type. */
export const schemaFields = (schema: JsonSchema): Html => {
  const fields = fieldsOf(schema, "");
  return fields.length === 0 ? html`<p>${typeOf(schema)}</p>` : fieldList(fields);
};

const fieldsOf = (schema: JsonSchema, prefix: string): ReadonlyArray<Field> =>
  Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const path = `${prefix}${name}`;
    const field = {
      name: path,
      type: typeOf(property),
      note: schema.required?.includes(name) ? undefined : "optional",
      description: [...inline(property.description ?? ""), pattern(property)],
    };
    const { items } = property;
    const nested =
      items === undefined ? fieldsOf(property, `${path}.`) : fieldsOf(items, `${path}[].`);
    return [field, ...nested];
  });

/** The pattern, unless the format already implies it. */
const pattern = ({ pattern: text, format }: JsonSchema): Html =>
  text === undefined || format !== undefined ? html`` : html` Matches <code>${text}</code>.`;

/** The name in a reference, such as `Event` in `#/components/schemas/Event`. */
const nameOf = (ref: string): string => ref.slice(ref.lastIndexOf("/") + 1);

/** The id of a schema's section on the page. */
export const schemaId = (name: string): string => `schema-${name}`;

/** Describes a type in a few words, with links to named schemas. */
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
  ["minItems", "maxItems", " items"],
  ["minimum", "maximum", ""],
] as const;

/** The bounds on length, number of items or value, such as `, 1 to 255 characters`. */
const bounds = (schema: JsonSchema): string =>
  BOUNDS.map(([least, most, unit]) => {
    const [min, max] = [schema[least], schema[most]];
    if (min === undefined && max === undefined) return "";
    if (max === undefined) return `, at least ${min}${unit}`;
    return `, ${min === undefined ? "at most" : `${min} to`} ${max}${unit}`;
  }).join("");
