/**
 * JSON Schema as an expression: the texts of all values that a schema allows, members in the order in which the schema
 * names them.
 *
 * What a keyword demands is kept exactly, or the schema is refused: a text of the expression parses and fits the
 * schema.
 *
 * @module
 */
import { fail } from "../../core/errors.ts";
import { Analysis } from "../analysis.ts";
import type { Expression, Expressions } from "../expression.ts";
import { RAW } from "./json-spelling.ts";
import { Schemas } from "./schemas.ts";
import { Shapes } from "./shapes.ts";
import { Strings } from "./strings.ts";
import type { WhiteSpace } from "./structure.ts";

/** How texts are written. */
export interface SchemaOptions {
  /** `flexible` (the default) allows spaces and indents between tokens, within bounds; `none` allows none. */
  readonly whitespace?: WhiteSpace;
  /** Of the names of its rules: another for each schema of a grammar. */
  readonly prefix?: string;
}

/**
 * The texts of values that fit a schema.
 * @param schema drafts 4 to 2020-12: what `JSON.parse` made of a schema
 * @throws OnebitError `grammar/unsupported` with the keyword and where it stands, `grammar/syntax` for what is no
 * schema, `grammar/too-large` beyond the limits
 */
export function schemaExpression(expressions: Expressions, schema: unknown, options: SchemaOptions = {}): Expression {
  const schemas = new Schemas(schema);
  const shapes = new Shapes(expressions, schemas, options.whitespace ?? "flexible", options.prefix ?? "value ");
  const expression = shapes.whole(schemas.conjunction(schemas.document.root));
  const analysis = new Analysis(expressions);
  analysis.add(expression);
  if (expression === expressions.nothing || analysis.isEmpty(expression))
    fail("grammar/unsupported", "the schema: nothing fits it");
  return expression;
}

/**
 * The strings that fit a schema, as they are: without quotes and escapes. It may match nothing.
 * @throws OnebitError as {@link schemaExpression}
 */
export function rawStringExpression(expressions: Expressions, schema: unknown): Expression {
  const schemas = new Schemas(schema),
    strings = new Strings(expressions, RAW);
  const branches = schemas.branches(schemas.conjunction(schemas.document.root), "string");
  return expressions.both([
    expressions.anyText,
    expressions.choice(branches.map((branch) => strings.expression(branch))),
  ]);
}

/** The texts of all JSON values. */
export function anyJson(expressions: Expressions, options: SchemaOptions = {}): Expression {
  return schemaExpression(expressions, true, options);
}

/** The texts of all JSON objects. */
export function anyJsonObject(expressions: Expressions, options: SchemaOptions = {}): Expression {
  return schemaExpression(expressions, { type: "object" }, options);
}
