/**
 * Checks of requests' fields: schemas that refuse unknown names with the nearest known one, and their errors as a
 * client reads them.
 *
 * @module
 */
import * as v from "valibot";
import { quoted } from "../core/errors.ts";
import { didYouMean } from "../core/nearest-name.ts";
import { ApiError } from "./api-error.ts";

/** An object with these fields and no others. */
export function fields<const Entries extends v.ObjectEntries>(entries: Entries) {
  const names = Object.keys(entries);
  return v.strictObject(entries, (issue) => {
    const name = String(issue.path?.at(-1)?.key ?? "");
    if (issue.expected !== "never") return issue.path === undefined ? "wanted an object" : "is missing";
    return `is no field that this server knows${didYouMean(name, names)}`;
  });
}

/** JSON's null is absence, as clients write it. */
export function optional<const Schema extends v.GenericSchema>(schema: Schema) {
  return v.optional(
    v.pipe(
      v.nullable(schema),
      v.transform((value) => value ?? undefined),
    ),
  );
}

export const NUMBER = v.pipe(v.number("wanted a number"), v.finite("wanted a finite number"));
export const TEXT = v.string("wanted a text");
export const BOOLEAN = v.boolean("wanted true or false");

export function whole(min: number, max: number) {
  const wanted = `wanted an integer from ${min} to ${max}`;
  return v.pipe(v.number(wanted), v.safeInteger(wanted), v.minValue(min, wanted), v.maxValue(max, wanted));
}

export function oneOf<const Options extends readonly string[]>(...options: Options) {
  return v.picklist(options, `wanted ${options.map((option) => JSON.stringify(option)).join(" or ")}`);
}

/** A list of one kind or a single value of another: errors are those of the kind that was meant. */
export function listOr<const List extends v.GenericSchema, const Single extends v.GenericSchema>(
  list: List,
  single: Single,
) {
  return v.lazy((input) => (Array.isArray(input) ? list : single));
}

/** Values that are refused by name, because they would change the answer. */
export function refused<const Value extends string | number | boolean>(allowed: Value, why: string) {
  return optional(v.literal(allowed, `only ${JSON.stringify(allowed)} is possible: ${why}`));
}

/**
 * The request's fields, without those that are ignored.
 * @throws ApiError 400
 */
export function checkFields<const Schema extends v.GenericSchema>(
  schema: Schema,
  body: unknown,
  ignored: ReadonlySet<string>,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, withoutFields(body, ignored), { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues,
    path = pathOf(issue);
  const message = path === undefined ? `body: ${issue.message}` : `${path}: ${issue.message}`;
  throw new ApiError(400, issue.expected === "never" ? "unknown_field" : "invalid_value", message, { param: path });
}

function withoutFields(body: unknown, ignored: ReadonlySet<string>): unknown {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return body;
  // Members named __proto__ stay members, to be refused as any other.
  return Object.fromEntries(Object.entries(body).filter(([name]) => !ignored.has(name)));
}

/** `messages[0].content`; names that are not plain are quoted and cut. */
function pathOf({ path }: v.BaseIssue<unknown>): string | undefined {
  if (path === undefined) return undefined;
  return path
    .map(({ key }, i) => {
      if (typeof key === "number") return `[${key}]`;
      const name = String(key),
        shown = /^[\w$-]{1,64}$/.test(name) ? name : quoted(name);
      return i === 0 ? shown : `.${shown}`;
    })
    .join("");
}
