/**
 * What hostile chat templates are made of: every filter, test, method, function and operator of Jinja, in loops and on
 * the longest values that a template can build.
 */
import type { Random } from "../../synthetic/random.ts";

export const INPUT = {
  messages: [
    { role: "user", content: "Hello <|im_end|> aaa\n".repeat(3) },
    {
      role: "assistant",
      content: "x y ".repeat(200),
      tool_calls: [{ function: { name: "f", arguments: { a: [1, null, { b: "c" }] } } }],
    },
    { role: "user", content: [{ type: "text", text: "part \u{1f600}" }] },
  ],
  tools: [{ a: { b: [1, 2] } }],
  // Enough values that the budget is the largest there is.
  filler: new Array<number>(2000).fill(0),
  long: "word \u{1f600} <b> 1 ".repeat(4000),
};

/**
 * Long values: texts plain, of pairs, of alternating marks, of digits and of spaces; lists flat, nested and of texts;
 * dicts.
 */
const LONG = [
  "'a' * 300000",
  "'ab' * 150000",
  "' ' * 300000",
  "'9' * 300000",
  "'\u{1f600}' * 100000",
  "'ÄÖß' * 60000",
  "'a,b ' * 60000",
  "'<&>' * 60000",
  "'\\n' * 200000",
  "'%s' * 50000",
  "'{}' * 50000",
  "'%d%Y' * 50000",
  "long",
  "long * 5",
  "('-' + messages[0].content) * 1500",
  "(['a', messages[0].content] * 600)|join",
  "range(50000)|list",
  "[[1, 'a']] * 30000",
  "['abc'] * 60000",
  "['a' * 1000] * 5000",
  "[messages[0].content] * 10000",
  "range(20000)|map('string')|list",
  "[['a' * 5000] * 50] * 50",
  "messages",
  "{'k' * 20000: 'v' * 20000}",
  "dict([['a' * 9999, 1]] * 3000)",
  "[none] * 60000",
  "[2.5, 1] * 30000",
  "[{'k': 'x' * 999}] * 20000",
  "range(50000)",
  "messages * 5000",
];

/** Short arguments beside the long ones that stand for `b`, which is long too. */
const FILTERS = [
  "abs",
  "attr(b)",
  "batch(2)|list",
  "batch(1)|list",
  "batch(7, b)|list",
  "capitalize",
  "center(300000)",
  "default(b)",
  "dictsort",
  "dictsort(by='value')",
  "escape",
  "filesizeformat",
  "first",
  "float",
  "forceescape",
  "format(b, b)",
  "format(b)",
  "groupby(0)",
  "groupby('k')",
  "groupby(b)",
  "indent",
  "indent(b)",
  "indent(100, true, true)",
  "int",
  "int(base=16)",
  "items|list",
  "join",
  "join(b)",
  "join('', attribute=b)",
  "last",
  "length",
  "list",
  "lower",
  "map('trim', b)|list",
  "map('upper')|list",
  "map('replace', 'a', b)|list",
  "map('default', b)|list",
  "map(attribute=b)|list",
  "map('tojson')|list",
  "map('int')|list",
  "map('join', b)|list",
  "max",
  "max(attribute='k')",
  "min",
  "reject('eq', b)|list",
  "rejectattr(b)|list",
  "replace('a', b)",
  "replace(b, 'c')",
  "replace(b, b)",
  "replace('', b)",
  "replace('', 'x')",
  "reverse",
  "reverse|list",
  "round",
  "safe",
  "select('in', b)|list",
  "select('eq', b)|list",
  "selectattr('k', 'eq', b)|list",
  "selectattr('k', 'in', b)|list",
  "slice(3)|list",
  "slice(90000)|list",
  "slice(90000, b)|list",
  "sort",
  "sort(attribute='k')",
  "sort(case_sensitive=true)",
  "string",
  "sum",
  "sum(start=[])",
  "title",
  "tojson",
  "tojson(indent=4)",
  "tojson(indent=b)",
  "tojson(separators=(b, b))",
  "tojson(ensure_ascii=true)",
  "tojson(sort_keys=true)",
  "trim",
  "trim(b)",
  "trim('a')",
  "truncate(9)",
  "truncate(200000, end=b)",
  "unique|list",
  "unique(attribute='k')|list",
  "upper",
  "urlencode",
  "wordcount",
  "random",
  "nothing(b)",
];
const TESTS = [
  "eq(b)",
  "ne(b)",
  "lt(b)",
  "ge(b)",
  "in(b)",
  "in([b, b])",
  "sameas(b)",
  "lower",
  "upper",
  "filter",
  "test",
  "divisibleby(b)",
  "odd",
  "iterable",
  "string",
  "nothing",
];
const METHODS = [
  "capitalize()",
  "casefold()",
  "center(300000, 'x')",
  "count('a')",
  "count(b)",
  "count('')",
  "endswith(b)",
  "endswith([b, b, b])",
  "find(b)",
  "find('z')",
  "find('a', 100000)",
  "format(b)",
  "format(b, b, k=b)",
  "index('z')",
  "isalnum()",
  "isalpha()",
  "isascii()",
  "isdigit()",
  "islower()",
  "isnumeric()",
  "isspace()",
  "istitle()",
  "isupper()",
  "join(b)",
  "join(['a'] * 9999)",
  "join([b, b])",
  "ljust(300000)",
  "lower()",
  "lstrip()",
  "lstrip(b)",
  "partition('z')",
  "partition(b)",
  "removeprefix(b)",
  "removesuffix(b)",
  "replace('a', b)",
  "replace(b, 'a')",
  "replace('', b)",
  "rfind(b)",
  "rfind('z')",
  "rjust(300000, 'x')",
  "rpartition(b)",
  "rsplit()",
  "rsplit(b)",
  "rsplit('a', 5)",
  "rsplit(none, 3)",
  "rstrip()",
  "rstrip(b)",
  "split()",
  "split('a')",
  "split('a', 3)",
  "split(b)",
  "split(',')",
  "splitlines()",
  "startswith(b)",
  "startswith([b] * 999)",
  "strip()",
  "strip(b)",
  "swapcase()",
  "title()",
  "upper()",
  "zfill(300000)",
  "items()|list",
  "keys()|list",
  "values()|list",
  "get(b)",
  "get('k')",
  "copy()",
  "index(b)",
  "count(b)",
  "k",
  "0",
  "pop()",
  "append(b)",
  "nothing()",
];
const OPERATORS = [
  "+",
  "-",
  "*",
  "/",
  "//",
  "%",
  "**",
  "~",
  "==",
  "!=",
  "<",
  "<=",
  ">",
  ">=",
  "in",
  "not in",
  "and",
  "or",
];
const SUBSCRIPTS = ["[0]", "[-1]", "[99999]", "[b]", "['k']", "[1:]", "[:-1]", "[::-1]", "[::2]", "[100:200]", "[b:]"];
const CALLS = [
  "range(b)",
  "range(100000)|list",
  "range(99999)|sum",
  "dict(k=b)",
  "dict(b)",
  "namespace(k=b).k",
  "cycler(a, b).next()",
  "joiner(b)()",
  "strftime_now(a)",
  "strftime_now(b)",
  "raise_exception(b)",
  "f(*b)",
  "f(**b)",
  "f(a, b)",
  "f(*a)",
  "'%s' % b",
  "'%99999d' % 1",
  "'%.99d' % 1",
  "a % b",
  "'%(k)s' % a",
  "2 ** 9999",
  "9 ** 9 ** 9",
  "-a",
  "not a",
  "1.5 ** a|length",
  "[a, b]|tojson",
  "{a: b}",
  "{b: a}[a]",
  "[a, b] == [a, b]",
  "a is b",
  "(a, b)",
  "a ~ b ~ a ~ b",
  "'x'|attr(a)",
  "loop.cycle(a, b)",
  "loop.changed(a)",
  "loop.changed(b, a)",
  "loop.previtem",
  "'a'.join([a, b, a])",
  "[a] * 9999",
  "a if b else a",
  "f",
  "lipsum(99999)",
  "['x' * i for i in b]",
];

/** What repeats an expression: loops, macros, recursion, capture, and one alone. */
const REPEATS: readonly ((use: string) => string)[] = [
  (use) => `{{ ${use} }}`,
  (use) => `{% for i in range(100000) %}{% set x = ${use} %}{% endfor %}`,
  (use) => `{% for i in range(100000) %}{{ ${use} }}{% endfor %}`,
  (use) => `{% macro g(n) %}{% set x = ${use} %}{{ g(n) }}{{ g(n) }}{% endmacro %}{{ g(1) }}`,
  (use) => `{% for i in range(100000) if ${use} %}{% endfor %}`,
  (use) => `{% for i in range(1000) %}{% set x %}{{ ${use} }}{% endset %}{% if x == ${use} %}{% endif %}{% endfor %}`,
];

const below = (random: Random, n: number): number => random.u32() % n;

const PRELUDE = "{% macro f() %}{{ varargs }}{{ kwargs }}{% endmacro %}";

/** Everything that can be done with `a`. */
function usesOf(a: string): string[] {
  return [
    ...FILTERS.map((filter) => `${a}|${filter}`),
    ...TESTS.map((test) => `${a} is ${test}`),
    ...METHODS.map((method) => `${a}.${method}`),
    ...OPERATORS.flatMap((operator) => [`${a} ${operator} b`, `${a} ${operator} 3`, `b ${operator} ${a}`]),
    ...SUBSCRIPTS.map((subscript) => `${a}${subscript}`),
    ...CALLS,
  ];
}

function templateOf(a: string, b: string, use: string, repeat: (use: string) => string): string {
  return `${PRELUDE}{% set a = ${a} %}{% set b = ${b} %}${repeat(use)}`;
}

/** Every use in a loop, on each long value once: a template for each, some six thousand. */
export function* longTemplates(): Generator<string> {
  const uses = usesOf("a");
  for (const [i, a] of LONG.entries()) {
    for (const [j, use] of uses.entries())
      yield templateOf(a, LONG[(i * 7 + j * 3) % LONG.length], use, REPEATS[1 + ((i + j) % (REPEATS.length - 1))]);
  }
}

/** A random template: a use of long values, repeated, its result used again. */
export function randomLongTemplate(random: Random): string {
  const pick = <T>(list: readonly T[]): T => list[below(random, list.length)];
  const uses = usesOf("a");
  const second = usesOf("x");
  const chain = below(random, 2) === 0 ? pick(uses) : `(${pick(uses)})|${pick(FILTERS)}`;
  const body =
    below(random, 3) === 0
      ? `{% for i in range(${pick(["9", "999", "100000"])}) %}{% set x = ${chain} %}{% set y = ${pick(second)} ` +
        "%}{{ y }}{% endfor %}"
      : pick(REPEATS)(chain);
  const text =
    `${PRELUDE}{% set a = ${pick(LONG)} %}{% set b = ${pick(LONG)} ` +
    `%}${body}${below(random, 4) === 0 ? pick(REPEATS)(pick(uses)) : ""}`;
  if (below(random, 12) > 0) return text;
  // Now and then cut, or with a character changed.
  const at = below(random, text.length);
  return (
    text.slice(0, at) +
    pick(["", "{%", "}}", "(", "'", "|", "\\", "%", "\u{1f600}"]) +
    text.slice(at + below(random, 3))
  );
}
