/**
 * Options and arguments as tables: every name, and what its value must be. An unknown name is refused with the nearest
 * known one, a bad value with what was wanted.
 *
 *   const OPTIONS = { maxTokens: whole(0), signal: SIGNAL } satisfies OptionTable<GenerateOptions>;
 *   const options = checkOptions("generate", given, OPTIONS);
 *
 * The compiler checks a table against its interface, so a new option cannot be forgotten here.
 *
 * @module
 */
import { type ErrorCode, OnebitError, fail, shown } from "./errors.ts";
import { nearestName } from "./nearest-name.ts";

/**
 * Checks a value and returns it, as a copy where the caller could change it. @throws OnebitError `code` if it does not
 * fit
 */
export type Kind<T> = (value: unknown, name: string, code: ErrorCode) => T;
/** A kind that does not accept a missing value. */
export type RequiredKind<T> = Kind<T> & { readonly isRequired: true };

/** A kind for each option; {@link required} for those that must be given. */
export type OptionTable<Options> = {
  readonly [Name in keyof Options]-?: undefined extends Options[Name]
    ? Kind<Options[Name]>
    : RequiredKind<Options[Name]>;
};

/** Names from other programs and earlier versions, and ours for them. */
export type Meanings = Readonly<Record<string, string>>;

/** An object passed by mistake may claim any length; no real list has more than 16 million items. */
const LIST_ITEMS_MAX = 1 << 24;

/**
 * Copies the given options to a plain object, reading each once. `undefined` counts as absent; inherited properties
 * count, symbols do not, as no option has a symbol for its name.
 *
 * @param what whose options they are, for messages
 * @throws OnebitError `option/unknown`; `code` for a value that does not fit
 */
export function checkOptions<Options extends object>(
  what: string,
  given: unknown,
  table: OptionTable<Options>,
  { code = "option/invalid", meanings = {} }: { readonly code?: ErrorCode; readonly meanings?: Meanings } = {},
): Options {
  const kinds = table as Readonly<Record<string, Kind<unknown> & { readonly isRequired?: true }>>,
    found: Record<string, unknown> = {};
  return check(
    what,
    given,
    () => {
      const options = given === undefined ? {} : OBJECT(given, `${what}: options`, code);
      for (const name in options)
        if (!Object.hasOwn(kinds, name) && options[name] !== undefined)
          failUnknown(what, name, Object.keys(kinds), meanings);
      for (const [name, kind] of Object.entries(kinds)) {
        const value = options[name];
        if (value !== undefined || kind.isRequired) found[name] = kind(value, name, code);
      }
      return found as Options;
    },
    code,
  );
}

/** Checks one argument. @throws OnebitError `code` */
export function check<T>(name: string, value: unknown, kind: Kind<T>, code: ErrorCode = "option/invalid"): T {
  try {
    return kind(value, name, code);
  } catch (error) {
    if (error instanceof OnebitError) throw error;
    // A getter or a proxy of the caller's.
    return fail(code, `${name}: reading it failed: ${shown(error)}`, error);
  }
}

function failUnknown(what: string, name: string, known: readonly string[], meanings: Meanings): never {
  const meant = Object.hasOwn(meanings, name) ? meanings[name] : nearestName(name, known);
  fail(
    "option/unknown",
    `${what}: no option ${shownName(name)}: ` +
      (meant === undefined ? `the options are ${known.join(", ")}` : `did you mean ${meant}?`),
  );
}

function shownName(name: string): string {
  return /^[\w$.-]{1,64}$/.test(name) ? name : shown(name);
}

/** Makes a kind from a test and its name. */
export function kind<T>(wanted: string, fits: (value: unknown) => boolean): Kind<T> {
  return (value, name, code) =>
    fits(value) ? (value as T) : fail(code, `${name}: wanted ${wanted}, got ${shown(value)}`);
}

export function required<T>(kind: Kind<T>): RequiredKind<T> {
  const must: Kind<T> = (value, name, code) => kind(value, name, code);
  return Object.assign(must, { isRequired: true as const });
}

/** The table with every option optional. */
export function notRequired<Options>(table: OptionTable<Options>): OptionTable<Partial<Options>> {
  const kinds = Object.entries(table as Readonly<Record<string, Kind<unknown>>>);
  return Object.fromEntries(
    kinds.map(([name, kind]): [string, Kind<unknown>] => [name, (value, what, code) => kind(value, what, code)]),
  ) as OptionTable<Partial<Options>>;
}

export function optional<T>(kind: Kind<T>): Kind<T | undefined> {
  return (value, name, code) => (value === undefined ? undefined : kind(value, name, code));
}

export const BOOLEAN = kind<boolean>("true or false", (value) => typeof value === "boolean");
export const TEXT = kind<string>("a text", (value) => typeof value === "string");
export const OBJECT = kind<Readonly<Record<string, unknown>>>(
  "an object",
  (value) => typeof value === "object" && value !== null && !Array.isArray(value),
);
export const BYTES = kind<Uint8Array>("a Uint8Array", (value) => value instanceof Uint8Array);
/** A function; only the compiler can check what it takes and returns. */
export const FUNCTION = kind<never>("a function", (value) => typeof value === "function");
export const SIGNAL = kind<AbortSignal>(
  "an AbortSignal",
  (value) =>
    hasMethods(value, ["addEventListener", "removeEventListener"]) &&
    typeof (value as AbortSignal).aborted === "boolean",
);

/** An object with these methods. */
export function having<T>(wanted: string, ...methods: readonly string[]): Kind<T> {
  return kind(wanted, (value) => hasMethods(value, methods));
}

function hasMethods(value: unknown, methods: readonly string[]): boolean {
  return (
    typeof value === "object" &&
    value !== null &&
    methods.every((name) => typeof (value as Readonly<Record<string, unknown>>)[name] === "function")
  );
}

/** Bounds of a number, inclusive (`min`, `max`) or exclusive (`above`, `below`). */
export interface Bounds {
  readonly min?: number;
  readonly above?: number;
  readonly max?: number;
  readonly below?: number;
}

/** Finite unless the bounds say otherwise. */
export function number({
  min = -Number.MAX_VALUE,
  above = -Infinity,
  max = Number.MAX_VALUE,
  below = Infinity,
}: Bounds): Kind<number> {
  const from = above > -Infinity ? ` above ${above}` : min > -Number.MAX_VALUE ? ` from ${min}` : "";
  const to =
    below < Infinity
      ? ` to below ${below}`
      : max < Number.MAX_VALUE
        ? ` to ${max}`
        : from === "" || above > -Infinity
          ? ""
          : " up";
  return kind(
    `a number${from}${to}`,
    (value) => typeof value === "number" && value >= min && value > above && value <= max && value < below,
  );
}

/** A safe integer. */
export function whole(min: number, max = Number.MAX_SAFE_INTEGER): Kind<number> {
  const to = max === Number.MAX_SAFE_INTEGER ? "up" : `to ${max}`;
  return kind(
    `an integer from ${min} ${to}`,
    (value) => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max,
  );
}

export function oneOf<const T extends string | number | boolean>(...choices: readonly T[]): Kind<T> {
  const words = choices.map((choice) => JSON.stringify(choice));
  return kind(words.length < 2 ? words.join() : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`, (value) =>
    choices.some((choice) => choice === value),
  );
}

/** Copies an array or a typed array, checking that each item is of one kind. */
export function list<T>(wanted: string, item: Kind<T>, max = LIST_ITEMS_MAX): Kind<T[]> {
  return (value, name, code) => {
    if (!Array.isArray(value) && !(ArrayBuffer.isView(value) && "length" in value))
      fail(code, `${name}: wanted ${wanted}, got ${shown(value)}`);
    const { length } = value as ArrayLike<unknown>,
      items: T[] = [];
    if (length > max) fail(code, `${name}: at most ${max} items, got ${length}`);
    for (let i = 0; i < length; i++) items.push(item((value as ArrayLike<unknown>)[i], `${name}[${i}]`, code));
    return items;
  };
}

/** Options inside options. */
export function options<Options extends object>(table: OptionTable<Options>): Kind<Options> {
  return (value, name, code) => checkOptions(name, value, table, { code });
}
