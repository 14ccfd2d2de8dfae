/**
 * Names of the supported filters (Jinja 3.1 documentation, "List of Builtin Filters").
 *
 * @module
 */

const SUPPORTED = new Set([
  "abs",
  "attr",
  "batch",
  "capitalize",
  "center",
  "count",
  "d",
  "default",
  "dictsort",
  "e",
  "escape",
  "filesizeformat",
  "first",
  "float",
  "forceescape",
  "format",
  "groupby",
  "indent",
  "int",
  "items",
  "join",
  "last",
  "length",
  "list",
  "lower",
  "map",
  "max",
  "min",
  "reject",
  "rejectattr",
  "replace",
  "reverse",
  "round",
  "safe",
  "select",
  "selectattr",
  "slice",
  "sort",
  "string",
  "sum",
  "title",
  "tojson",
  "trim",
  "truncate",
  "unique",
  "upper",
  "urlencode",
  "wordcount",
]);

/** Jinja's filters that are refused, and why. */
export const REFUSED_FILTERS: Readonly<Record<string, string>> = {
  random: "its results would not repeat",
  pprint: "it is for debugging",
  striptags: "it is for web pages",
  urlize: "it is for web pages",
  wordwrap: "it is for web pages",
  xmlattr: "it is for web pages",
};

/** The test `'name' is filter`. */
export function hasFilter(name: string): boolean {
  return SUPPORTED.has(name);
}
