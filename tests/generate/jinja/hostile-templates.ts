/**
 * Templates that try to hang, kill or fill the process that renders them: handwritten ones, one for each way known, and
 * random ones grown from the same materials.
 */

/** A small generator for tests: xorshift32. */
export function randomSource(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const nest = (open: string, inner: string, close: string, n: number): string =>
  open.repeat(n) + inner + close.repeat(n);

/** Doubles `s` n times, then uses it. */
const doubled = (start: string, use: string, n = 40): string =>
  `{% set ns = namespace(s=${start}) %}{% for i in range(${n}) %}{% set ns.s = ns.s + ns.s %}{% endfor %}${use}`;

/** The longest string the budget lets a template build, then something slow with it. */
const long = (use: string): string => doubled("'a'", use, 19);

export const HANDWRITTEN: readonly string[] = [
  // loops
  "{% for i in range(2000000000) %}{% endfor %}",
  "{% for i in range(0, 1e18) %}{% endfor %}",
  "{% for i in range(-9007199254740991, 9007199254740991) %}{% endfor %}",
  "{{ range(99999999999999999999) }}",
  "{% for i in range(3000) %}{% for j in range(3000) %}{% for k in range(3000) %}{% endfor %}{% endfor %}{% endfor %}",
  "{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}",
  "{{ range(100000)|map('string')|join|length }}{{ range(100000)|sum }}".repeat(200),
  "{% for i in range(100000) %}{{ range(100000)|list|length }}{% endfor %}",
  // recursion and nesting
  "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
  "{% macro f(x) %}{{ g(x) }}{% endmacro %}{% macro g(x) %}{{ f(x) }}{{ f(x) }}{% endmacro %}{{ f(1) }}",
  "{% macro f(n) %}{% if n > 0 %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
  "{% macro f(x=f()) %}{% endmacro %}{{ f() }}",
  "{% macro f() %}{% call f() %}{% endcall %}{% endmacro %}{{ f() }}",
  `{{ ${nest("(", "1", ")", 60_000)} }}`,
  `{{ ${nest("[", "", "]", 60_000)} }}`,
  `{{ ${nest("{1:", "1", "}", 60_000)} }}`,
  `{{ ${"not ".repeat(60_000)}x }}`,
  `{{ ${"-".repeat(60_000)}1 }}`,
  `{{ 1${"+1".repeat(60_000)} }}`,
  `{{ 'a'${"~'a'".repeat(60_000)} }}`,
  `{{ a${".a".repeat(60_000)} }}`,
  `{{ a${"[0]".repeat(60_000)} }}`,
  `{{ 'a'${"|upper".repeat(60_000)} }}`,
  `{{ 1${" if 1 else 1".repeat(60_000)} }}`,
  `{{ a${"()".repeat(60_000)} }}`,
  `{{ 1${" is number".repeat(60_000)} }}`,
  `{{ 1${" and 1".repeat(60_000)} }}`,
  `{{ 1${"<2".repeat(60_000)} }}`,
  nest("{% if 1 %}", "x", "{% endif %}", 20_000),
  nest("{% for i in [1] %}", "x", "{% endfor %}", 20_000),
  nest("{% filter upper %}", "x", "{% endfilter %}", 20_000),
  nest("{% set x %}", "x", "{% endset %}", 20_000),
  `{% if 0 %}${"{% elif 0 %}".repeat(30_000)}{% endif %}`,
  "{% set ns = namespace(a=[]) %}{% for i in range(100000) %}{% set ns.a = [ns.a] %}{% endfor %}{{ ns.a }}",
  "{% set ns = namespace(a=[]) %}{% for i in range(50000) %}{% set ns.a = [ns.a] %}{% endfor %}{{ ns.a|tojson }}",
  "{% set ns = namespace(a=[]) %}{% for i in range(50000) %}{% set ns.a = {'a': ns.a} %}{% endfor %}{{ ns.a == ns.a }}",
  "{% set ns = namespace(a=1) %}{% set ns.a = [ns, ns] %}{{ ns.a }}{{ [ns, ns.a]|tojson }}",
  // text and lists that double
  doubled("'a'", "{{ ns.s }}"),
  doubled("'a' * 1000", "{{ ns.s|length }}"),
  doubled("messages[0].content", "{{ ns.s }}"),
  doubled("[1]", "{{ ns.s|length }}"),
  "{% set ns = namespace(a=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a|tojson }}",
  "{% set ns = namespace(a=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a }}",
  "{% set ns = namespace(a=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a == " +
    "ns.a|list }}",
  "{% set ns = namespace(a=[1], b=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% set ns.b = " +
    "[ns.b, ns.b] %}{% endfor %}{{ ns.a == ns.b }}",
  "{% set ns = namespace(a=[1], b=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% set ns.b = " +
    "[ns.b, ns.b] %}{% endfor %}{{ ns.a < ns.b }}",
  "{{ 'a' * 2000000000 }}",
  "{{ 'a' * 999999999999 * 999999999999 }}",
  "{{ messages[0].content * 200000000 }}",
  "{{ [0] * 2000000000 }}",
  "{{ '' * 9007199254740991 }}{{ [] * 9007199254740991 }}",
  "{{ 'abc'|replace('', 'x' * 100000)|replace('x', 'y' * 100000) }}",
  "{{ ('a' * 100000).replace('a', 'b' * 100000) }}",
  "{{ ('a' * 100000)|replace('', 'b' * 100000) }}",
  "{{ ('a' * 100000).join(range(100000)|map('string')) }}",
  "{{ range(100000)|join('a' * 100000) }}",
  "{{ ('\\n' * 100000)|indent(100000, true, true) }}",
  "{{ 'a'|indent(2000000000, true) }}",
  "{{ 'a'|indent('b' * 1000000, true) }}",
  "{{ [1]|tojson(indent=2000000000) }}",
  "{{ messages|tojson(indent=100000) }}",
  "{{ [1, 1]|tojson(separators=('a' * 100000, 'b')) }}".repeat(50),
  "{% macro f() %}{{ caller() * 10 }}{% endmacro %}{% call f() %}{% call f() %}{% call f() %}{% call f() %}{{ " +
    "'a' * 100000 }}{% endcall %}{% endcall %}{% endcall %}{% endcall %}",
  "{{ ['a' * 100000] * 100000 }}",
  "{{ (['a' * 100000] * 100000)|join }}",
  "{{ ('a' * 100000)|list|map('upper')|list|length }}".repeat(100),
  "{{ ('a' * 1000000)|batch(1)|list }}",
  "{{ ('<' * 1000000)|escape|escape|escape|escape }}",
  // slow on long text
  long("{{ 'b' + ns.s in ns.s }}"),
  long("{{ ns.s.split('b' + ns.s[5:]) }}"),
  long("{{ ns.s.rfind(ns.s[1:] + 'b') }}"),
  long("{{ ns.s.count(ns.s) }}"),
  long("{{ ns.s.strip(ns.s) }}"),
  long("{% for i in range(100000) %}{{ ns.s in ns.s }}{% endfor %}"),
  long("{% for i in range(100000) %}{% set d = {ns.s + i|string: 1} %}{% endfor %}"),
  long("{% for i in range(100000) %}{% if ns.s == ns.s + '' %}{% endif %}{% endfor %}"),
  long("{% for i in range(100000) %}{% set x = ns.s[1:] %}{% endfor %}"),
  long("{% for i in range(100000) %}{% set x = ns.s[::-1] %}{% endfor %}"),
  long("{% for i in range(100000) %}{{ ns.s|length }}{% endfor %}"),
  long("{% for i in range(100000) %}{{ ns.s.lower() is upper }}{% endfor %}"),
  long("{% for i in range(100000) %}{{ ns.s is lower }}{% endfor %}"),
  long("{% for i in range(100000) %}{{ ns.s.isdigit() or ns.s|int }}{% endfor %}"),
  long("{% for i in range(100000) %}{{ ns.s.startswith(ns.s) }}{% endfor %}"),
  long("{{ ns.s|wordcount }}{{ ns.s|title }}{{ ns.s|trim(ns.s) }}"),
  "{{ (' ' * 1000000)|trim }}{{ (' ' * 1000000 + 'x').split() }}{{ (' ' * 1000000)|title }}",
  "{{ range(100000)|unique|list }}",
  "{{ range(100000)|map('string')|unique|list }}",
  "{{ range(100000)|sort(reverse=true)|sort|sort|sort }}".repeat(20),
  "{{ (range(100000)|list).index(99999) }}".repeat(1000),
  "{% for i in range(100000) %}{{ i in range(100000) }}{% endfor %}",
  "{% for m in messages * 10000 %}{{ m.content.replace('a', 'b' * 1000) }}{% endfor %}",
  "{{ messages|map(attribute='a.' * 50000)|list }}",
  `{{ messages|map(attribute='${"a.".repeat(50_000)}')|list }}`,
  // numbers
  "{{ 2 ** 2 ** 2 ** 2 ** 2 ** 2 }}{{ 10 ** 400 }}{{ 9007199254740991 + 1 }}",
  "{{ 9007199254740991 * 9007199254740991 }}",
  "{{ 1e400 }}{{ -1e400 }}{{ (1e400 - 1e400)|int }}{{ 1e400|int }}{{ 1e400|round }}",
  "{{ 1.5|round(1000000000) }}{{ 1.5|round(-1000000000) }}",
  "{{ 1 / 0 }}{{ 1 // 0 }}{{ 1 % 0 }}",
  "{{ 'a'[1e400] }}{{ [1][::0] }}{{ 'abc'[::9007199254740991] }}{{ [1, 2][-9007199254740991:9007199254740991] }}",
  // lexer and parser
  `{% generation ${" ".repeat(100_000)}x %}`,
  `${" ".repeat(500_000)}{% if 1 %}`,
  `${" \n".repeat(200_000)}{%- if 1 -%}${" \n".repeat(20_000)}`,
  `${"{%".repeat(100_000)}`,
  `${"{#".repeat(100_000)}`,
  `${"{".repeat(400_000)}`,
  `${"{{ x }}".repeat(60_000)}`,
  `${"{% raw %}".repeat(50_000)}`,
  `{% raw %}${"{% end".repeat(80_000)}`,
  `{% raw %}${`{%${" ".repeat(50)}`.repeat(9_000)}`,
  `{{ '${"\\\\".repeat(200_000)}' }}`,
  `{{ '${"\\x".repeat(100_000)}' }}`,
  `{{ ${"9".repeat(400_000)} }}`,
  `{{ 1.${"9".repeat(400_000)}e${"9".repeat(1_000)} }}`,
  `{{ ${"a".repeat(500_000)} }}`,
  "{{ 'unclosed }}",
  "{{ x",
  "{% for %}",
  "{% for x in %}{% endfor %}",
  "{% set %}",
  "{% if %}{% endif %}",
  "{% endif %}",
  "{% else %}",
  "{% macro %}{% endmacro %}",
  "{% call 1 %}{% endcall %}",
  "{% extends 'x' %}",
  "{% include '/etc/passwd' %}",
  "{% import 'x' as y %}",
  "{{ ) }}",
  "{{ [1, }}",
  "{{ {1: } }}",
  "{{ a.0.0.0. }}",
  "{{ @ }}",
  "\u0000{{\u0000}}",
  "x".repeat(600_000),
  // reaching outside
  "{{ constructor.constructor('return process')() }}",
  "{{ ''.constructor }}{{ [].constructor }}{{ {}.__proto__ }}{{ ''.__class__.__mro__ }}",
  "{{ messages.__proto__.polluted }}{{ messages[0]['__proto__'] }}{{ messages[0].constructor }}",
  "{% set ns = namespace() %}{% set ns.__proto__ = 1 %}{{ ns.__proto__ }}{{ ns.constructor }}",
  "{{ namespace(__proto__=1).toString }}{{ dict(constructor=1).hasOwnProperty }}",
  "{{ self }}{{ this }}{{ globalThis }}{{ process }}{{ require('fs') }}",
  "{{ messages.append(1) }}{{ messages.pop() }}",
  "{{ 'x'|toString }}{{ 'x'|constructor }}{{ 'x' is constructor }}{{ 1|__proto__ }}",
  "{{ raise_exception('a' * 1000000) }}",
  "{{ raise_exception() }}",
  "{{ strftime_now('%Y' * 1000000) }}",
  "{{ strftime_now(messages) }}{{ range('x') }}{{ range() }}{{ range(1, 2, 0) }}",
  "{{ loop.cycle() }}{% for i in [1] %}{{ loop.cycle() }}{{ loop.loop.loop }}{% endfor %}",
];

const ATOMS = [
  "1",
  "0",
  "2.5",
  "'a'",
  "'a' * 1000",
  "x",
  "messages",
  "messages[0]",
  "messages[0].content",
  "range(1000)",
  "range(100000)",
  "[1, 2, 3]",
  "{'k': 1}",
  "none",
  "true",
  "ns",
  "ns.s",
  "loop",
  "loop.index",
  "f",
  "f(1)",
  "undefined",
  "9007199254740991",
  "-1",
  "1e300",
  "''",
  "[]",
  "tools",
  "caller",
];
const BINARY = [
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
  ">",
  "<=",
  ">=",
  "in",
  "not in",
  "and",
  "or",
];
const FILTERS = [
  "length",
  "list",
  "string",
  "tojson",
  "tojson(indent=2)",
  "join",
  "join('ab')",
  "upper",
  "lower",
  "title",
  "trim",
  "first",
  "last",
  "reverse",
  "sort",
  "unique",
  "map('string')",
  "map(attribute='content')",
  "select",
  "select('odd')",
  "selectattr('a')",
  "items",
  "dictsort",
  "sum",
  "min",
  "max",
  "abs",
  "int",
  "float",
  "round",
  "default('z')",
  "replace('a', 'bb')",
  "indent(40)",
  "batch(2)",
  "escape",
  "capitalize",
  "wordcount",
  "safe",
  "nothing",
];
const TESTS = ["string", "odd", "defined", "none", "mapping", "sameas 1", "in [1]"];
const METHODS = [
  "split('a')",
  "split()",
  "strip()",
  "replace('a', 'aaaaaaaa')",
  "upper()",
  "startswith('a')",
  "items()",
  "get('k')",
  "join(['x', 'y'])",
  "splitlines()",
  "count('a')",
  "k",
  "0",
  "find('a')",
];

/** A random template of about `size` parts: mostly well-formed, sometimes cut or with a character changed. */
export function randomTemplate(random: (below: number) => number, size: number): string {
  const choose = <T>(list: readonly T[]): T => list[random(list.length)];
  const expression = (depth: number): string => {
    if (depth <= 0) return choose(ATOMS);
    switch (random(8)) {
      case 0:
        return `(${expression(depth - 1)} ${choose(BINARY)} ${expression(depth - 1)})`;
      case 1:
        return `(${expression(depth - 1)}|${choose(FILTERS)})`;
      case 2:
        return `(${expression(depth - 1)}).${choose(METHODS)}`;
      case 3:
        return `[${expression(depth - 1)}, ${expression(depth - 1)}]`;
      case 4:
        return `(${expression(depth - 1)} if ${expression(depth - 2)} else ${expression(depth - 1)})`;
      case 5:
        return `(${expression(depth - 1)})[${random(2) ? ":" : ""}${expression(depth - 2)}]`;
      case 6:
        return `(${expression(depth - 1)} is ${random(2) ? "not " : ""}${choose(TESTS)})`;
      default:
        return choose(ATOMS);
    }
  };
  const block = (depth: number): string => {
    if (depth <= 0) return `{{ ${expression(2)} }}`;
    switch (random(9)) {
      case 0:
        return `{% for x in ${expression(2)} %}${block(depth - 1)}{% endfor %}`;
      case 1:
        return `{% if ${expression(2)} %}${block(depth - 1)}{% else %}${block(depth - 1)}{% endif %}`;
      case 2:
        return `{% set ns.s = ${expression(3)} %}${block(depth - 1)}`;
      case 3:
        return `{% set x %}${block(depth - 1)}{% endset %}`;
      case 4:
        return `{% macro f(x) %}${block(depth - 1)}{% endmacro %}{{ f(${expression(1)}) }}`;
      case 5:
        return `{% filter ${choose(FILTERS)} %}${block(depth - 1)}{% endfilter %}`;
      case 6:
        return (
          `{% for x in range(${choose(["10", "1000", "100000", "1000000000"])}) %}{% set ns.s = ns.s + ns.s ` +
          `%}${block(depth - 1)}{% endfor %}`
        );
      default:
        return block(depth - 1) + choose(["\n", " ", "text", "{#- c -#}"]) + block(depth - 1);
    }
  };
  const text = `{% set ns = namespace(s='a') %}${Array.from({ length: size }, () => block(1 + random(4))).join("")}`;
  const at = random(text.length);
  switch (random(12)) {
    case 0:
      return text.slice(0, at);
    case 1:
      return text.slice(0, at) + choose(["{", "}", "%", "(", ")", "'", "|", "\\", "\u{1f600}"]) + text.slice(at + 1);
    default:
      return text;
  }
}
