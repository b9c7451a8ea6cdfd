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

/** A reference to a schema of the document. */
export const schemaRef = (name: string): { readonly $ref: string } => ({
  $ref: `#/components/schemas/${name}`,
});

/** JSON Schemas of response bodies, by name. A schema that contains another refers to it. */
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

/** A query parameter in the document. */
export interface QueryParameter {
  readonly name: string;
  readonly in: "query";
  readonly required: boolean;
  readonly description: string;
  readonly schema: JsonSchema;
  /** A value that is valid together with the examples of the other parameters. */
  readonly example?: unknown;
}

/** The parameters of a query schema, with the types that their text is parsed into. */
export const queryParametersOf = (query: z.ZodObject): ReadonlyArray<QueryParameter> => {
  // The parsed type, not the text it comes as: to a client `10` is an integer.
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
