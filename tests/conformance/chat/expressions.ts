/** Every filter, test, method and operator of Jinja on values of every kind: what Python's Jinja and onebit must agree on. */

export const DATA: Readonly<Record<string, unknown>> = {
  none: null, yes: true, no: false, n: 7, neg: -3, x: 2.5, half: 0.5, empty: "", word: "hello World foo", text: " one  two\tthree\nfour ",
  accents: "ÄÖß éﬁ ſ ŉ", emoji: "a\u{1f600}b\u{1f601}c", odd: "\u0085\u001c\ufeff\u00a0x\u2028\u200b\u00ad\u007f\\'\"", digits: "12", decimal: " 3.75 ", html: "<b>&\"'</b>",
  lines: "a\n\n  b\r\nc\n", csv: "a,b,,c", list: [3, 1, 2], words: ["b", "A", "c", "a"], mixed: [null, 1, "x"], nested: [[1, 2], [3]], nothing: [],
  d: { b: 1, a: 2, C: 3 }, none_d: {}, people: [{ name: "Ann", age: 30, tag: "x" }, { name: "bob", age: 25 }, { name: "Cy", age: 30, tag: "" }],
};

const VALUES = [
  ...Object.keys(DATA), "missing", "3.0", "-0.0", "1e20", "1.5e-7", "(1, 'a')", "[(2, 'x'), (1, 'y')]", "{1: 'x', 'k': none}", "'<i>'|safe", "words|map('upper')", "d.items()", "[2.5, 1, 3]", "'%s and %d'", "'{} {}'",
];

const FILTERS = [
  "abs", "attr('name')", "attr('upper')", "batch(2)|list", "batch(2, 'z')|list", "capitalize", "center(20)", "count", "d('z')", "default('z')", "default('z', true)", "dictsort", "dictsort(true)",
  "dictsort(false, 'value')", "dictsort(by='value', reverse=true)", "e", "escape", "filesizeformat", "filesizeformat(true)", "first", "float", "float(1.5)", "forceescape", "format(1, 2)", "groupby('age')", "groupby('tag', default='?')", "groupby(0)",
  "indent", "indent(2)", "indent(2, true)", "indent('> ', true, true)", "int", "int(9)", "int(0, 16)", "int(base=8)", "items|list", "join", "join(', ')", "join('-', attribute='name')", "join(1)", "last", "length",
  "list", "lower", "map('upper')|list", "map('length')|list", "map(attribute='name')|list", "map(attribute='tag', default='?')|list", "map(attribute=0)|list", "map('default', 3)|list", "max", "max(attribute='age')", "min", "min(true)",
  "reject|list", "reject('odd')|list", "rejectattr('tag')|list", "rejectattr('age', 'gt', 26)|list", "replace('o', '0')", "replace('o', '0', 1)", "replace('', '-')", "replace(1, 2)", "reverse|list", "reverse", "round", "round(1)", "round(1, 'ceil')", "round(0, 'floor')", "round(-1)",
  "safe", "select|list", "select('string')|list", "select('in', ['x', 1])|list", "selectattr('tag')|list", "selectattr('tag', 'defined')|list", "selectattr('age', 'equalto', 30)|list", "slice(2)|list", "slice(3, 'z')|list",
  "sort", "sort(true)", "sort(case_sensitive=true)", "sort(attribute='age')", "sort(attribute='age,name')", "string", "sum", "sum(attribute='age')", "sum(start=[])", "title", "tojson", "tojson(true)", "tojson(indent=2)", "tojson(separators=(',', ':'))", "tojson(sort_keys=true)", "tojson(ensure_ascii=true, indent='\t')",
  "trim", "trim('ah')", "truncate(5)", "truncate(8, true)", "truncate(8, false, '…', 0)", "unique|list", "unique(true)|list", "unique(attribute='age')|list", "upper", "urlencode", "wordcount", "nothing", "random(1)", "string|upper|lower",
];

const TESTS = [
  "boolean", "callable", "defined", "divisibleby(2)", "eq(7)", "equalto('12')", "escaped", "even", "false", "filter", "float", "ge(2)", "gt(2)", "in([7, none, 'x'])", "in('hello World foo!')", "integer", "iterable", "le(2)", "lower", "lt('b')",
  "mapping", "ne(7)", "none", "number", "odd", "sameas(none)", "sequence", "string", "test", "true", "undefined", "upper",
];

/** Not `pop`: lists may be popped from in Jinja 3.1.2, which Debian has, and no more in later ones. */
const METHODS = [
  "capitalize()", "casefold()", "center(21, '*')", "count('o')", "count('')", "endswith('o')", "endswith(('o', ' '))", "find('o')", "find('o', 5)", "find('\u{1f601}')", "format(1, 'x')", "index('o')", "isalnum()", "isalpha()", "isascii()", "isdecimal()",
  "isdigit()", "islower()", "isnumeric()", "isspace()", "istitle()", "isupper()", "join(['1', '2'])", "join(words)", "ljust(20)", "ljust(20, '.')", "lower()", "lstrip()", "lstrip('h ')", "partition(' ')", "removeprefix('he')", "removesuffix('oo')", "replace('o', '0')",
  "replace('', '-', 3)", "rfind('o')", "rfind('o', 0, 6)", "rindex('o')", "rjust(20)", "rpartition(' ')", "rsplit()", "rsplit(' ')", "rsplit(none, 1)", "rsplit(',', 1)", "rsplit(' ', 2)", "rstrip()", "rstrip(' o')", "split()", "split(' ')", "split(none, 1)", "split(',', 1)", "split(',')", "split('o', -1)",
  "splitlines()", "splitlines(true)", "startswith('hello')", "startswith(('x', 'h'))", "startswith('W', 6)", "strip()", "strip('h o')", "swapcase()", "title()", "upper()", "zfill(20)", "items()|list", "keys()|list", "values()|list", "get('a')", "get('zz')", "get('zz', 9)", "get(list)",
  "copy()", "index(1)", "count(1)", "append(1)", "popitem()", "update({})", "nothing", "nothing()", "name", "items", "upper",
];

const OPERATORS = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"];
const OPERANDS = ["none", "yes", "n", "neg", "0", "2", "x", "-0.5", "empty", "'o'", "word", "digits", "list", "[1, 2]", "(1, 2)", "d", "{'a': 2}", "missing", "'<i>'|safe", "html", "emoji"];

const SUBSCRIPTS = ["[0]", "[-1]", "[9]", "['a']", "['name']", "[none]", "[[1]]", "[1.0]", "[true]", "[missing]", "[1:]", "[:2]", "[::-1]", "[-2:]", "[2:0:-1]", "[::2]", "[5:]", "[:-1]", "[none:none]", "['x':]", ".a", ".0"];

const SIGNS = ["-", "+", "not "];

const SPECIAL = [
  "1_000", "0x1F", "0b101", "0o17", "'\\101\\x41\\u00e9\\n\\q'", "7 // 2, -7 // 2, 7 % -3, -7 % 3, 7.5 % 2, -7.5 % 2, 7.5 // -2", "2 ** 10, 2 ** -1, 4 ** 0.5, -2 ** 2", "0.1 + 0.2, 1e16, 1e15, 123456789.123, 1e-5, 0.0001", "2.675|round(2), 0.125|round(2), 2.5|round, 3.5|round, -2.5|round, 1e22|round",
  "'%s' % 'a', '%5s|%-5s|%05d' % ('a', 'b', 42), '%.2f' % 2.345, '%x %X %o' % (255, 255, 8), '%(a)s-%(b)03d' % {'a': 1, 'b': 2}, '100%%' % ()", "'%e %g %G' % (12345.678, 0.00001234, 1e20), '%+d % d' % (3, 4), '%c%c' % (65, 'b'), '%r %s' % ('x', none)", "'%s' % [1, 2], '%s' % {'a': 1}, '%d' % 2.9, '%*d' % (5, 42)",
  "'{0} {1} {0}'.format('a', 1), '{x}'.format(x=2), '{:>5}|{:<5}|{:^5}|'.format('a', 'b', 'c'), '{:05.1f} {:,} {:x}'.format(3.14159, 1234567, 255), '{{}} {!r}'.format('q'), '{0[a]} {0[b]}'.format(d)", "'{:.3}'.format('abcdef'), '{:+d}'.format(5), '{:%}'.format(0.25), '{:e}'.format(1234.5), '{:_}'.format(1234567), '{:*^9}'.format('mid')",
  "range(3)|list, range(1, 4)|list, range(5, 0, -2)|list, range(0)|list", "dict(a=1, b=2), dict([('a', 1)]), dict(d, z=1)", "namespace(a=1).a, namespace({'b': 2}).b, namespace().c", "[1, 2, 3][1:], (1, 2, 3)[1:], 'abc'[1:], (1,), ()", "1 < 2 < 3, 1 < 3 < 2, 1 == 1.0, true == 1, [1] == [1.0], (1, 2) == [1, 2], {'a': 1} == {'a': 1.0}",
  "'a' 'b', 'x' if yes, ('x' if no), 'a' if no else 'b' if no else 'c'", "not none|default(true), 1 is odd and 2 is even, 3 is not even", "[none, 1]|first, [1, none]|last, [none][0], [none]|map('default', 3)|list, namespace(a=none).a is none", "'a' is in 'abc', 'z' is in ['z'], 4 is divisibleby 2, none is sameas none, true is sameas 1",
  "words|map('upper') is iterable, words|map('upper')|length", "words|map('upper')|tojson", "(words|map('upper'))[0]", "(words|select) and 'true'", "none|select|list, none|map('upper')|list, missing|select|list, none|selectattr('a')|list, none|reject|list, 0|select|list", "'<b>'|safe + '<i>', '<i>' + ('<b>'|e), ('<b>'|safe) ~ '<i>', ('<b>'|safe).replace('b', '<'), ('a %s'|safe) % '<', ('<b>'|e)|e, ['<']|join('<'|safe)",
  "(d|items|list), d|dictsort, d|tojson(sort_keys=true), {'é': 'ü', 1: 2.0, none: true}|tojson(ensure_ascii=true)", "['～', '\u{1f600}', 'z']|sort, '～' < '\u{1f600}', 'a' < 'B'", "[1.5, none, true, 'a', [], {}, missing, (1,)]", "people|groupby('age')|map(attribute='grouper')|list, (people|groupby('age'))[0].list, people|groupby('age')|map('first')|list",
  "words|batch(3)|map('join', '+')|list, words|slice(3)|map('list')|list", "'a,b;c'.split(';')|map('split', ',')|list", "\"it's\", 'say \"hi\"', ['both\\'\"', 'tab\\t\\\\', '\u0000\u001b\u0080\u00ad\u2028\u{1f600}']", "cycler('a', 'b').next(), cycler(1, 2).current, joiner('|')()",
];

const BLOCKS = [
  "{% for x in nested recursive %}{{ loop.depth }}:{% if x is iterable %}[{{ loop(x) }}]{% else %}{{ x }}{% endif %}{{ loop.depth0 }} {% endfor %}", "{% for x in list %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.cycle('a', 'b') }}{{ loop.changed(x > 1) }} {% endfor %}",
  "{% macro f(a, b=2, c='x') %}{{ a }}{{ b }}{{ c }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1) }}|{{ f(1, 2, 3, 4, 5) }}|{{ f(1, z=9) }}|{{ f(*[1, 2]) }}|{{ f(**{'a': 5, 'b': 6}) }}|{{ f(*list, **{'q': 1}) }}", "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, 2) }}", "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, z=2) }}", "{% macro f(a) %}{{ a }}{{ b }}{% endmacro %}{{ f() }}|{{ f(a=3) }}",
  "{% macro f() %}<{{ caller(1) }}>{% endmacro %}{% call(x) f() %}{{ x }}!{% endcall %}", "{% macro f() %}<>{% endmacro %}{% call f() %}!{% endcall %}", "{% set s = namespace(n=0) %}{% for x in list %}{% set s.n = s.n + x %}{% endfor %}{{ s.n }}", "{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set (c, d2) = (3, [4]) %}{{ c }}{{ d2 }}", "{% for a, b in d.items() %}{{ a }}{{ b }}{% endfor %}{% for a, b in [(1, 2, 3)] %}{% endfor %}",
  "{% set x %} a {{ n }} {% endset %}[{{ x }}]{{ x is escaped }}", "{% set x | upper | trim %} a {% endset %}[{{ x }}]", "{% filter upper | replace('A', 'b') %}a{{ word }}{% endfilter %}", "{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a }}", "{% for x in [] %}{% else %}none{% endfor %}{% for x in list if x > 9 %}{% else %}none{% endfor %}", "{% for x in range(9) if x is odd %}{% if x == 5 %}{% continue %}{% elif x == 7 %}{% break %}{% endif %}{{ x }}{{ loop.index }}{% endfor %}",
  "{% if missing %}a{% elif none %}b{% else %}c{% endif %}{% if words|select('lower') %}d{% endif %}", "{% generation %}  x {{ n }}{% endgeneration %}", "  {%- if yes %}\n  a\n  {%- endif %}\n  {% if yes +%}\n b {%+ endif %} {# c #}\n{#- d -#} e", "{% raw %}{{ x }}{% endraw %}{%- raw -%} {% if %} {%- endraw -%} z", "{% for x in none %}{% endfor %}", "{% for x in 5 %}{% endfor %}", "{% for x in 'añ😀' %}{{ x }}.{% endfor %}{% for k in d %}{{ k }}{% endfor %}",
  "{% set x = words|map('upper') %}{{ x|list }}{{ x|list }}{{ x|first }}", "{% set x = words|map('upper') %}{{ x|first }}{{ x|join }}", "{% for x in words %}{% set last = x %}{% endfor %}{{ last }}", "{% set x = 1 %}{% if yes %}{% set x = 2 %}{% endif %}{% for y in [1] %}{% set x = 3 %}{% endfor %}{{ x }}", "{% do 1 %}", "{% include 'x' %}", "{% set d.x = 1 %}", "{{ strftime_now('%d %b %Y %-d %e %H:%M %j %y %A %B %I %p %% %F %T') }}", "{{ raise_exception('no') }}", "{{ range(3) ~ '' ~ loop }}",
  "{{ lipsum() }}", "{{ f(1) }}", "{{ word.upper }}", "{{ ''.join(d) }}{{ ','.join([1]) }}", "{{ {'a': 1, 'a': 2} }}{{ {1: 'x', true: 'y', 1.0: 'z'} }}{{ {[]: 1} }}", "{{ {(1, 2): 'x'}[(1, 2)] }}", "{{ n is not defined or n is number and not n is string }}", "{{ 'a' ~ 1 ~ 2.5 ~ none ~ yes ~ list ~ missing }}",
];

/** Templates, each of one thing. */
export function expressionTemplates(): string[] {
  const print = (expression: string): string => `{{ ${expression} }}`;
  const each = <T>(list: readonly T[], make: (item: T) => string): string[] => list.map(make);
  return [
    ...VALUES.flatMap((value) => [print(value), print(`[${value}]`), ...each(FILTERS, (filter) => print(`(${value})|${filter}`))]),
    ...VALUES.flatMap((value) => each(TESTS, (test) => print(`(${value}) is ${test}`))),
    ...VALUES.flatMap((value) => each(METHODS, (method) => print(`(${value}).${method}`))),
    // Jinja computes `3.0[1:]` itself and gives nothing; of a variable that is 3.0 it is an error.
    ...Object.keys(DATA).filter((name) => name !== "none").flatMap((value) => each(SUBSCRIPTS, (subscript) => print(`(${value})${subscript}`))),
    ...VALUES.flatMap((value) => each(SIGNS, (sign) => print(`${sign}(${value})`))),
    ...OPERANDS.flatMap((left) => OPERATORS.flatMap((operator) => OPERANDS.map((right) => print(`(${left}) ${operator} (${right})`)))),
    ...SPECIAL.flatMap((special) => [print(special), ...special.split(", ").map(print)]),
    ...BLOCKS,
  ];
}
