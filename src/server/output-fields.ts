/**
 * Fields that say what an answer must fit: OpenAI's `response_format`, and llama.cpp's `json_schema`, `grammar` and
 * `regex`, as the library's option `format`.
 *
 * @module
 */
import * as v from "valibot";
import type { Format } from "../index.ts";
import { ApiError } from "./api-error.ts";
import { BOOLEAN, TEXT, fields, oneOf, optional } from "./fields.ts";

/** A JSON object: its members are checked by what uses it. */
export const OBJECT = v.custom<Readonly<Record<string, unknown>>>(
  (value) => typeof value === "object" && value !== null && !Array.isArray(value),
  "wanted an object",
);

/** OpenAI's JSON mode: any object. */
const ANY_OBJECT: Format = { jsonSchema: { type: "object" } };

/** What a schema comes with; `strict` changes nothing, since every schema is kept. */
export const NAMED_SCHEMA = {
  name: TEXT,
  description: optional(TEXT),
  schema: optional(OBJECT),
  strict: optional(BOOLEAN),
};

const RESPONSE_FORMAT = v.variant(
  "type",
  [
    fields({ type: v.literal("text") }),
    fields({ type: v.literal("json_object") }),
    fields({ type: v.literal("json_schema"), json_schema: fields(NAMED_SCHEMA) }),
  ],
  'wanted an object with the type "text", "json_object" or "json_schema"',
);

/** Of requests for chats and for completions. */
export const FORMAT_FIELDS = {
  response_format: optional(RESPONSE_FORMAT),
  json_schema: optional(OBJECT),
  grammar: optional(TEXT),
  regex: optional(TEXT),
};

const FORMAT_BODY = v.object(FORMAT_FIELDS);

/** @throws ApiError 400 for two at once */
export function formatOf(given: v.InferOutput<typeof FORMAT_BODY>): Format | undefined {
  const { response_format: format, json_schema: jsonSchema, grammar, regex } = given;
  const formats = [
    format === undefined ? undefined : responseFormat(format),
    jsonSchema && { jsonSchema },
    grammar === undefined ? undefined : { grammar },
    regex === undefined ? undefined : { regex },
  ].filter((one) => one !== undefined);
  if (formats.length > 1)
    throw new ApiError(400, "invalid_value", "response_format, json_schema, grammar, regex: give only one", {
      param: "response_format",
    });
  return formats[0];
}

function responseFormat(format: v.InferOutput<typeof RESPONSE_FORMAT>): Format | undefined {
  if (format.type === "text") return undefined;
  return format.type === "json_object" ? ANY_OBJECT : schemaFormat(format.json_schema.schema);
}

/** A missing schema is any object, as in OpenAI's. */
export function schemaFormat(schema: Readonly<Record<string, unknown>> | undefined): Format {
  return schema === undefined ? ANY_OBJECT : { jsonSchema: schema };
}

/** Names of efforts. Models here think or do not: how long is what the thinking takes. */
export const EFFORT = oneOf("none", "minimal", "low", "medium", "high", "xhigh", "max");
