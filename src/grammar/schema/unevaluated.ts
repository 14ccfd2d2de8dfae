/**
 * Which members or items a schema has read, wherever that does not depend on the value: what `unevaluatedProperties`
 * and `unevaluatedItems` then speak of is known from the schema alone.
 *
 * @module
 */
import type { SchemaDocument, SchemaNode } from "./document.ts";
import { isList, isMap } from "./json.ts";

/** Applicators that read nothing for certain: which of their schemas fit depends on the value. */
const UNCERTAIN = ["anyOf", "oneOf", "if", "then", "else", "dependentSchemas", "dependencies"];

/**
 * Schemas applied to the same value for certain, this one first; undefined when others apply that may read members, or
 * when references go round.
 */
function certainSchemas(
  document: SchemaDocument,
  node: SchemaNode,
  reads: (node: SchemaNode) => boolean,
): SchemaNode[] | undefined {
  const certain = new Set([node]);
  const uncertain = new Set<SchemaNode>();
  const visit = (from: SchemaNode, into: Set<SchemaNode>): void => {
    if (!isMap(from.value)) return;
    for (const keyword of ["$ref", "$dynamicRef", "$recursiveRef"]) {
      const reference = from.value.get(keyword);
      if (typeof reference === "string") into.add(document.resolve(from, reference));
    }
    for (const keyword of ["allOf", ...UNCERTAIN]) {
      const value = from.value.get(keyword);
      const set = keyword === "allOf" ? into : uncertain;
      if (isList(value)) value.forEach((_, i) => set.add(document.child(from, keyword, i)));
      else if (keyword === "if" || keyword === "then" || keyword === "else") {
        if (value !== undefined) set.add(document.child(from, keyword));
      } else if (isMap(value)) {
        for (const [key, part] of value) if (!isList(part)) set.add(document.child(from, keyword, key));
      }
    }
  };
  // Sets grow while they are read.
  for (const schema of certain) visit(schema, certain);
  for (const schema of uncertain) visit(schema, uncertain);
  return [...uncertain].some((schema) => reads(schema)) ? undefined : [...certain];
}

const MEMBER_KEYWORDS = ["properties", "patternProperties", "additionalProperties", "unevaluatedProperties"];
const ITEM_KEYWORDS = ["prefixItems", "items", "contains", "unevaluatedItems"];

function hasAny(node: SchemaNode, keywords: readonly string[]): boolean {
  const { value } = node;
  return isMap(value) && keywords.some((keyword) => value.has(keyword));
}

/** Names and patterns of the members that are read; `all`; or `unknown`. */
export function evaluatedMembers(
  document: SchemaDocument,
  node: SchemaNode,
): { names: Set<string>; patterns: Set<string> } | "all" | "unknown" {
  const schemas = certainSchemas(document, node, (schema) => hasAny(schema, MEMBER_KEYWORDS));
  if (schemas === undefined) return "unknown";
  const names = new Set<string>();
  const patterns = new Set<string>();
  for (const schema of schemas) {
    const { value } = schema;
    if (!isMap(value)) continue;
    if (value.has("additionalProperties") || (schema !== node && value.has("unevaluatedProperties"))) return "all";
    for (const [keyword, into] of [
      ["properties", names],
      ["patternProperties", patterns],
    ] as const) {
      const map = value.get(keyword);
      if (isMap(map)) for (const key of map.keys()) into.add(key);
    }
  }
  return { names, patterns };
}

/** How many of the first items are read; `all`; or `unknown`. */
export function evaluatedItems(document: SchemaDocument, node: SchemaNode): number | "all" | "unknown" {
  const schemas = certainSchemas(document, node, (schema) => hasAny(schema, ITEM_KEYWORDS));
  if (schemas === undefined) return "unknown";
  let count = 0;
  for (const schema of schemas) {
    const { value } = schema;
    if (!isMap(value)) continue;
    // Items that `contains` fits count as read: which ones depends on the value.
    if (value.has("contains")) return "unknown";
    if (schema !== node && value.has("unevaluatedItems")) return "all";
    const items = value.get("items");
    if (items !== undefined && !isList(items)) return "all";
    if (isList(items) && value.has("additionalItems")) return "all";
    const prefix = isList(items) ? items : value.get("prefixItems");
    if (isList(prefix)) count = Math.max(count, prefix.length);
  }
  return count;
}
