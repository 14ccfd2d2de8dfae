/**
 * The limits of schemas, each with its reason.
 *
 * @module
 */

/** Values in a schema; the largest of 1,000 published ones has 4,000. */
export const SCHEMA_VALUES_MAX = 100_000;
/** UTF-16 units of a schema's strings and keys; the largest of 1,000 published ones has 45,000. */
export const SCHEMA_UNITS_MAX = 4_000_000;
/** UTF-16 units of a JSON pointer into a schema: each sub-schema holds its own. */
export const POINTER_UNITS_MAX = 10_000;
/** Levels of nesting in a schema, which its reader recurses over; published ones stay below 40. */
export const SCHEMA_DEPTH_MAX = 200;
/** Levels of applicators and references that apply to one value; published ones stay below 20. */
export const APPLIED_DEPTH_MAX = 200;
/** Alternatives of one value, after `anyOf`, `oneOf`, `if` and negations are multiplied out. */
export const BRANCHES_MAX = 512;
/** Steps of multiplying out, for a whole schema: about a second. */
export const BRANCH_STEPS_MAX = 2_000_000;
/** Sub-schemas, with those that intersections make; published schemas make some hundreds. */
export const SHAPES_MAX = 10_000;
/** Patterns of `patternProperties` that one value's names are told apart by; published schemas have up to 12. */
export const NAME_PATTERNS_MAX = 24;
/** Combinations of `patternProperties` that one name may match. */
export const NAME_CLASSES_MAX = 64;
/** States of counting members or items of one value: positions × counts. */
export const COUNT_STATES_MAX = 20_000;
/** Remainders of `multipleOf`: each is a state for each of 15 digits of a number. */
export const REMAINDERS_MAX = 500;
/** UTF-16 units of one `pattern`. */
export const PATTERN_UNITS_MAX = 10_000;
/** Constants that the items of an array with `uniqueItems` may be: each set of them is a state. */
export const UNIQUE_VALUES_MAX = 10;
/** Names that a value must have some of, after negations: each set of them is a state. */
export const SOME_NAMES_MAX = 6;
