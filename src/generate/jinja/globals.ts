/**
 * Functions every chat template may call: Jinja's `range`, `namespace`, `dict`, `cycler` and `joiner`, and Hugging
 * Face's `raise_exception` and `strftime_now`. `lipsum` is refused: it is for designers.
 *
 * @module
 */
import { checkItems } from "./arithmetic.ts";
import type { Budget } from "./budget.ts";
import { formatDate } from "./dates.ts";
import { iterate } from "./iterate.ts";
import { MarkedText, templateText } from "./marked-text.ts";
import { toText } from "./print.ts";
import { Scope } from "./scope.ts";
import { Callable, charge, Dict, isInteger, isList, Namespace, raise, typeName } from "./values.ts";
import type { CallArguments, Value } from "./values.ts";

/** @param now the time `strftime_now` prints */
export function createGlobals(now: Date, budget: Budget): Scope {
  const functions: Record<string, (args: CallArguments) => Value> = {
    range: (args) => range(args, budget),
    namespace: (args) => createNamespace(args, budget),
    dict: (args) => createDict(args, budget),
    cycler: (args) => createCycler(args),
    joiner: (args) => createJoiner(args, budget),
    lipsum: () => raise("lipsum is not supported: it is for designers of web pages"),
    raise_exception: (args) =>
      raise(toText(args.get(0, "message") ?? templateText("raise_exception was called"), budget).text.slice(0, 1000)),
    strftime_now: (args) => formatDate(formatOf(args), now, budget),
  };
  const scope = new Scope();
  for (const [name, call] of Object.entries(functions)) {
    scope.set(name, new Callable(name, (args) => (charge(budget, undefined, args), call(args))));
  }
  return scope;
}

function range(args: CallArguments, budget: Budget): Value {
  const numbers = args.positional.map((value) =>
    isInteger(value) ? Number(value) : raise(`range wants integers, got a ${typeName(value)}`),
  );
  const [start, stop] = numbers.length > 1 ? numbers : [0, numbers[0] ?? raise("range wants a number")];
  const step = numbers[2] ?? 1;
  if (step === 0) raise("range's step must not be zero");
  const n = Math.max(0, Math.ceil((stop - start) / step));
  checkItems(n, budget);
  return Array.from({ length: n }, (_, i) => start + i * step);
}

function createNamespace(args: CallArguments, budget: Budget): Namespace {
  const namespace = new Namespace();
  for (const [key, value] of pairsOf(args, budget)) {
    namespace.values.set(key instanceof MarkedText ? key.text : raise("namespace: wanted strings as names"), value);
  }
  return namespace;
}

function createDict(args: CallArguments, budget: Budget): Dict {
  const dict = new Dict();
  for (const [key, value] of pairsOf(args, budget)) dict.set(key, value);
  return dict;
}

/** The entries of `dict(…)`: a dict or a list of pairs, then named arguments. */
function pairsOf({ positional: [from], named }: CallArguments, budget: Budget): (readonly Value[])[] {
  const pairs =
    from === undefined
      ? []
      : from instanceof Dict
        ? from.entries()
        : Array.from(iterate(from, budget), (pair) =>
            isList(pair) && pair.length === 2 ? pair : raise("dict wants pairs"),
          );
  const all = [...pairs, ...Array.from(named, ([name, value]) => [templateText(name), value])];
  for (const [key] of all) budget.spend(key instanceof MarkedText ? key.cost + 3 : 4);
  return all;
}

/** `cycler(a, b)`: `next()` takes one after another, `current` is the next one, `reset()` starts over. */
function createCycler({ positional: items }: CallArguments): Callable {
  if (items.length === 0) raise("cycler wants at least one value");
  let at = 0;
  const next = new Callable("next", () => {
    const item = items[at];
    at = (at + 1) % items.length;
    return item;
  });
  const reset = new Callable("reset", () => ((at = 0), null));
  return new Callable(
    "cycler",
    () => raise("a cycler is not callable: call its next()"),
    new Map<string, () => Value>([
      ["next", () => next],
      ["reset", () => reset],
      ["current", () => items[at]],
    ]),
  );
}

/** `joiner(", ")`: nothing at the first call, then the separator. */
function createJoiner(args: CallArguments, budget: Budget): Callable {
  const separator = toText(args.get(0, "sep") ?? templateText(", "), budget);
  let wasCalled = false;
  return new Callable("joiner", () => {
    const result = wasCalled ? separator : templateText("");
    wasCalled = true;
    return result;
  });
}

function formatOf(args: CallArguments): MarkedText {
  const format = args.get(0, "format");
  return format instanceof MarkedText ? format : raise("strftime_now wants a format");
}
