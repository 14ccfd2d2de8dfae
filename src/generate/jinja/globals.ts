/**
 * Functions every chat template may call: Jinja's `range`, `namespace` and `dict`, and the two that Hugging Face's
 * renderer adds, `raise_exception` and `strftime_now`.
 *
 * @module
 */
import { checkItems } from "./arithmetic.ts";
import type { Budget } from "./budget.ts";
import { templateText } from "./marked-text.ts";
import { Scope } from "./scope.ts";
import { Callable, Dict, Namespace, raise, toText, typeName } from "./values.ts";
import type { CallArguments, Value } from "./values.ts";

/** @param now what `strftime_now` tells */
export function createGlobals(now: Date, budget: Budget): Scope {
  const functions: Record<string, (args: CallArguments) => Value> = {
    range: (args) => range(args, budget),
    namespace: (args) => createNamespace(args),
    dict: (args) => createDict(args),
    raise_exception: (args) => raise(toText(args.positional[0] ?? templateText("raise_exception was called"), budget).text.slice(0, 1000)),
    strftime_now: (args) => templateText(formatDate(toText(args.positional[0] ?? null, budget).text.slice(0, 1000), now)),
  };
  const scope = new Scope();
  for (const [name, call] of Object.entries(functions)) scope.set(name, new Callable(name, call));
  return scope;
}

function range(args: CallArguments, budget: Budget): Value {
  const numbers = args.positional.map((value) => (typeof value === "number" ? value : raise(`range wants integers, got a ${typeName(value)}`)));
  const [start, stop] = numbers.length > 1 ? numbers : [0, numbers[0] ?? raise("range wants a number")];
  const step = numbers[2] ?? 1;
  if (step === 0) raise("range's step is zero");
  const n = Math.max(0, Math.ceil((stop - start) / step));
  checkItems(n, budget);
  return Array.from({ length: n }, (_, i) => start + i * step);
}

function createNamespace(args: CallArguments): Namespace {
  const namespace = new Namespace();
  const [from] = args.positional;
  if (from instanceof Dict) for (const [key, value] of from.entries()) namespace.values.set(String(typeof key === "object" && key !== null && "text" in key ? key.text : key), value);
  for (const [name, value] of args.named) namespace.values.set(name, value);
  return namespace;
}

function createDict(args: CallArguments): Dict {
  const dict = new Dict();
  const [from] = args.positional;
  if (from instanceof Dict) for (const [key, value] of from.entries()) dict.set(key, value);
  for (const [name, value] of args.named) dict.set(templateText(name), value);
  return dict;
}

const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/** C's strftime in local time and English, the same on every machine of one time zone; unknown codes stay. */
function formatDate(format: string, date: Date): string {
  const two = (n: number): string => String(n).padStart(2, "0");
  const codes: Record<string, () => string> = {
    Y: () => String(date.getFullYear()),
    y: () => two(date.getFullYear() % 100),
    m: () => two(date.getMonth() + 1),
    d: () => two(date.getDate()),
    e: () => String(date.getDate()).padStart(2, " "),
    B: () => MONTHS[date.getMonth()],
    b: () => MONTHS[date.getMonth()].slice(0, 3),
    A: () => DAYS[date.getDay()],
    a: () => DAYS[date.getDay()].slice(0, 3),
    H: () => two(date.getHours()),
    I: () => two(date.getHours() % 12 || 12),
    M: () => two(date.getMinutes()),
    S: () => two(date.getSeconds()),
    p: () => (date.getHours() < 12 ? "AM" : "PM"),
    j: () => String(dayOfYear(date)).padStart(3, "0"),
    "%": () => "%",
  };
  return format.replace(/%(-?)([a-zA-Z%])/g, (whole, dash: string, code: string) => {
    if (!Object.hasOwn(codes, code)) return whole;
    return dash === "" ? codes[code]() : codes[code]().replace(/^[0 ]+(?=\d)/, "");
  });
}

function dayOfYear(date: Date): number {
  const begin = Date.UTC(date.getFullYear(), 0, 1);
  return (Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) - begin) / 86_400_000 + 1;
}
