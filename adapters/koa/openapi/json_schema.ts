import { z } from "zod";

/**
 * A JSON Schema in the dialect of OpenAPI 3.1, which is JSON Schema 2020-12.
 *
 * @see https://spec.openapis.org/oas/v3.1.1#schema-object
 */
export interface JsonSchema {
  readonly $ref?: string;
  readonly description?: string;
  readonly type?: string | ReadonlyArray<string>;
  readonly format?: string;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly enum?: ReadonlyArray<unknown>;
  readonly const?: unknown;
  readonly default?: unknown;
  readonly anyOf?: ReadonlyArray<JsonSchema>;
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: ReadonlyArray<string>;
  readonly additionalProperties?: boolean | JsonSchema;
  readonly not?: JsonSchema;
}

/** Refers to a schema of the document by its name. */
export const schemaRef = (name: string): { readonly $ref: string } => ({
  $ref: `#/components/schemas/${name}`,
});

/** The schemas of bodies as they are sent, by name; where one holds another, it refers to it. */
export const schemasOf = (
  bodies: Readonly<Record<string, z.ZodType>>,
): Readonly<Record<string, JsonSchema>> => {
  const registry = z.registry<{ id: string }>();
  for (const [id, body] of Object.entries(bodies)) registry.add(body, { id });
  const { schemas } = z.toJSONSchema(registry, { io: "input", uri: (id) => schemaRef(id).$ref });
  return Object.fromEntries(
    Object.entries(schemas).map(([name, { $schema: _dialect, $id: _id, ...schema }]) => [
      name,
      schema as JsonSchema,
    ]),
  );
};

/** A query parameter as the document shows it. */
export interface QueryParameter {
  readonly name: string;
  readonly in: "query";
  readonly required: boolean;
  readonly description: string;
  readonly schema: JsonSchema;
  /** A value that can be sent together with the examples of the other parameters. */
  readonly example?: unknown;
}

/** The parameters that a schema of query strings reads, each as what its text stands for. */
export const queryParametersOf = (query: z.ZodObject): ReadonlyArray<QueryParameter> => {
  // What is read, not the text that it is read from: `10` is an integer for whoever asks.
  const { properties = {} } = z.toJSONSchema(query, { io: "output", unrepresentable: "any" });
  return Object.entries(properties).map(([name, property]) => {
    const {
      description = "",
      example,
      ...schema
    } = property as JsonSchema & {
      readonly example?: unknown;
    };
    const required = !query.shape[name]?.safeParse(undefined).success;
    const shown = example === undefined ? {} : { example };
    return { name, in: "query", required, description, schema, ...shown };
  });
};
