"""
Writes cases.json: templates with what Jinja 3.1 (the Python original) makes of them, in the setting of Hugging Face's
apply_chat_template: trim_blocks and lstrip_blocks on, loop controls, json.dumps for tojson, a sandbox.

    python3 make-cases.py > cases.json          needs jinja2 3.1
    python3 make-cases.py DIR < data.json       renders each *.jinja of DIR instead
"""
import glob, json, sys
import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

MESSAGES = [
    {"role": "system", "content": "  Be brief.\n"},
    {"role": "user", "content": "What's <|im_end|> \u4f60\u597d \U0001f600?"},
    {"role": "assistant", "content": "<think>\nhm\n</think>\n\nAn \"end\" mark.", "tool_calls": [
        {"type": "function", "function": {"name": "look_up", "arguments": {"q": "it's", "n": 3, "x": 1.5, "deep": [1, None, True, {}]}}},
        {"name": "other", "arguments": "{\"a\": 1}"}]},
    {"role": "tool", "content": "42", "name": "look_up"},
    {"role": "tool", "content": "43"},
    {"role": "user", "content": "Thanks\n"},
]
TOOLS = [{"type": "function", "function": {"name": "look_up", "description": "Looks <things> & 'more' up", "parameters": {"type": "object", "properties": {"q": {"type": "string", "enum": ["a", "b"]}, "n": {"type": ["integer", "null"], "default": 1e-7}}, "required": ["q"]}}}]
DATA = {"messages": MESSAGES, "tools": TOOLS, "documents": None, "bos_token": "<s>", "eos_token": "</s>", "add_generation_prompt": True,
        "n": 7, "x": 2.5, "neg": -3, "word": "hello World foo", "empty": "", "none": None, "yes": True, "no": False,
        "list": [3, 1, 2], "words": ["b", "A", "c", "a"], "nested": [[1, 2], [3]], "d": {"b": 1, "a": 2, "C": 3},
        "people": [{"name": "Ann", "age": 30, "tag": "x"}, {"name": "bob", "age": 25}, {"name": "Cy", "age": 30, "tag": ""}],
        "text": " one  two\tthree\nfour ", "emoji": "a\U0001f600b\U0001f601c", "lines": "a\n\n  b\nc\n", "d2": {"a": None, "b": None}}

EXPRESSIONS = r"""
1 + 2 * 3 ** 2
7 // 2, -7 // 2, 7 % 3, -7 % 3, 7 / 2, 6 / 2, 2 ** 10, 2 ** -1
1.5 + 2, 3.0, 1e3, 0.1 + 0.2, 1e20, 1.5e-7, 100.0 * 3
n - 3, -n, +n, - -n, n-1
'a' + 'b', 'a' ~ 1 ~ 2.5 ~ none ~ true, 'ab' * 3, [1] * 2, [1] + [2, 3]
'a' 'b'
"it's", 'say "hi"', 'tab\tnew\nline\\ \x41 \u00e9'
['a', "it's", 'q"', 'both\'"', 1, 2.0, none, true, {'k': 'v'}]
{'a': 1, 'b': [1, 2], 3: 'c'}
(1, 2), (1,), ()
not true, not 0, not '', not [], not none, not undefined_name
1 < 2 < 3, 1 < 3 < 2, 1 == 1.0, 'a' < 'b', 'a' != 'b', [1, 2] == [1, 2], {'a': 1} == {'a': 1}, true == 1
'a' in 'abc', 'z' not in 'abc', 1 in [1, 2], 'a' in d, 'z' in d, 'x' in {}
yes and no, yes or no, no or 'x', 0 or '' or 'last', 1 and 2, not yes and no
'y' if yes else 'n', 'y' if no else 'n', ('y' if no), 'a' if no else 'b' if no else 'c'
undefined_name, undefined_name is defined, undefined_name|default('dd'), empty|default('dd'), empty|default('dd', true), none|default('dd')
d.a, d['b'], d.get('z'), d.get('z', 9), d.zzz, d['zzz'], d.items()|list, d.keys()|list, d.values()|list, d|items|list
list[0], list[-1], list[9], list[1:], list[:2], list[::-1], list[::2], list[-2:], list[5:], list[2:0:-1]
word[0], word[-1], word[1:4], word[::-1], word[:-4], word[100:], word[-3:]
emoji|length, emoji[1], emoji[::-1], emoji[1:4], emoji|list
word.upper(), word.lower(), word.title(), word.capitalize(), word|title, word|capitalize, word|upper
text.strip(), text.lstrip(), text.rstrip(), text|trim, 'xxaxx'.strip('x'), 'xyaxy'.lstrip('xy'), 'xxaxx'|trim('x')
text.split(), text.split(' '), 'a,b,c'.split(','), 'a,b,c'.split(',', 1), 'a b  c'.split(none, 1), 'a,b,c'.rsplit(',', 1)
lines.splitlines(), 'a'.splitlines(), ''.splitlines(), ''.split(','), ''.split()
word.startswith('hello'), word.endswith('foo'), word.startswith(('x', 'h')), word.startswith('o'), word.find('World'), word.find('zz'), word.count('o')
word.replace('o', '0'), word.replace('o', '0', 1), 'abc'.replace('', '-'), word|replace('foo', 'bar')
'a-b'.join(['1', '2']), ', '.join(words), ''.join([]), words|join, words|join(', '), list|join('-'), people|join(', ', attribute='name')
'x'.isdigit(), '12'.isdigit(), 'ab'.isalpha(), 'a1'.isalnum(), ' '.isspace(), 'A'.isupper(), 'a'.islower()
'prefix-x'.removeprefix('prefix-'), 'x.py'.removesuffix('.py')
list|length, d|length, word|length, list|first, list|last, word|first, []|first, list|count
list|sort, list|sort(reverse=true), words|sort, words|sort(case_sensitive=true), people|sort(attribute='age')|map(attribute='name')|list
list|reverse|list, word|reverse, list|sum, people|sum(attribute='age'), list|min, list|max, words|min, words|max
people|map(attribute='name')|list, words|map('upper')|list, people|map(attribute='tag', default='-')|list, list|map('string')|join
people|selectattr('tag')|map(attribute='name')|list, people|rejectattr('tag')|list|length, people|selectattr('age', 'equalto', 30)|list|length, people|selectattr('age', 'gt', 26)|map(attribute='name')|join('+'), people|selectattr('tag', 'defined')|list|length
list|select('odd')|list, list|reject('odd')|list, list|select('gt', 1)|list, [0, 1, '', 'a']|select|list
[1, 1, 2, 1]|unique|list, ['a', 'A', 'b']|unique|list, ['a', 'A']|unique(case_sensitive=true)|list
list|batch(2)|list, d|dictsort, d|dictsort(case_sensitive=true), d|dictsort(by='value'), d|dictsort(reverse=true)
'5'|int, 'x'|int, 'x'|int(9), 2.9|int, -2.9|int, '2.5'|float, 'x'|float, 3|float, true|int
-5|abs, neg|abs, 2.5|abs, 2.567|round(2), 2.5|round, 3.5|round, 2.1|round(0, 'ceil'), 2.9|round(method='floor')
'a\nb\n\nc'|indent, 'a\nb'|indent(2, true), 'a\n\nb'|indent(2, blank=true), 'a\nb'|indent('> ')
'one two three'|wordcount
list|string, d|string, none|string, 1.0|string, true|string
d|tojson, list|tojson, none|tojson, true|tojson, 1.5|tojson, word|tojson, 'é"\n/<'|tojson, [1, {'a': none}]|tojson
d|tojson(indent=2)
[1, [2, {}], {'a': []}]|tojson(indent=4)
d|tojson(sort_keys=true), d|tojson(separators=(',', ':'))
tools|tojson
tools[0].function.parameters|tojson(indent=1)
range(3)|list, range(1, 4)|list, range(5, 0, -2)|list, range(0)|list
n is odd, n is even, n is divisibleby(7), n is divisibleby 2, n is number, n is string, word is string, n is integer, x is float, yes is boolean, 1 is boolean
none is none, n is none, n is not none, undefined_name is undefined, list is iterable, d is mapping, word is iterable, list is sequence, n is iterable, yes is true, no is false, 1 is true
n is eq(7), n is equalto 7, n is ne 3, n is gt 3, n is lt 3, n is ge 7, n is le(6), 1 is in [1, 2], 'A' is upper, 'a' is lower
n is odd and yes, not n is odd, n is not odd
true is boolean and 1 is not boolean
messages[1].content.split('<|')[0]|trim ~ '!'
messages|selectattr('role', 'equalto', 'user')|list|length
messages|map(attribute='role')|join(' ')
(messages|last).content|trim|length
dict(a=1, b='x'), dict(a=1).a
namespace(a=1).a
(n, x)|sum, [1.5, 2]|sum
'%'|string, 'a%b'
word|attr('zzz')|default('none')
'abc'|list, d|list
{'x': {'y': [10, 20]}}.x.y.1
[[1, 'a'], [2, 'b']]|map('first')|list, nested|map('length')|list, nested|map('sum')|list
[1, 2, 3] | map('string') | join(',')
-1|abs, -(1)|abs
1 if none is not none else 2
'a' ~ 'b' if yes else 'c'
[] is none, '' is none, {} is mapping
"\u4f60", 'x\ty'
3 * 'ab', 'é'|upper, 'ß'|upper, 'İ'|lower|length
'a b c'.split(' ')[1:]|join('_')
words[1:3], words[-1:], words[:-1]
words.index('c'), words.count('a')
d2.a, d2.a is none, d2.b is defined, d2.get('a', 5), d2.a|default('x'), d2.z|default(none), none|default(1, true), undefined_name|default(none)
[none, 1]|first, [1, none]|last, [none][0], [none][-1], 'x'|int(none), [none]|map('default', 3)|list, namespace(a=none).a is none
1_000, 1.5e3
"""

BLOCKS = [
    "{% for m in messages %}{{ loop.index }}/{{ loop.length }}:{{ m.role }}{% if not loop.last %}, {% endif %}{% endfor %}",
    "{% for x in list %}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.cycle('a', 'b') }};{% endfor %}",
    "{% for x in [] %}x{% else %}empty{% endfor %}|{% for x in list if x > 5 %}x{% else %}none{% endfor %}",
    "{% for x in list if x != 2 %}{{ x }}{{ loop.length }}{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k in d %}{{ k }}{% endfor %}{% for (a, b) in [(1, 2)] %}{{ a }}{{ b }}{% endfor %}",
    "{% for c in 'h\u00e9\U0001f600' %}[{{ c }}]{% endfor %}",
    "{% for x in range(10) %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 5 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in list %}{% for y in list %}{{ loop.index }}{% if y == 1 %}{% break %}{% endif %}{% endfor %}|{% endfor %}",
    "{% set a = 1 %}{% for x in list %}{% set a = a + x %}{{ a }} {% endfor %}{{ a }}",
    "{% set ns = namespace(a=0, b='x') %}{% for x in list %}{% set ns.a = ns.a + x %}{% endfor %}{{ ns.a }}{{ ns.b }}{{ ns.c }}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set (c, d2) = [3, 4] %}{{ c }}{{ d2 }}{% set t = 1, 2 %}{{ t|length }}",
    "{% if yes %}{% set v = 'in' %}{% endif %}{{ v }}",
    "{% set v %}block {{ n }}{% endset %}[{{ v }}]{% set v | upper | trim %} x {% endset %}[{{ v }}]",
    "{% if n == 1 %}one{% elif n == 7 %}seven{% else %}other{% endif %}{% if no %}x{% endif %}",
    "{% macro f(a, b='B', c=n) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ f(1) }}|{{ f(1, 2) }}|{{ f(a=1, c=3) }}|{{ f('x', b='y') }}",
    "{% macro f(x) %}{% if x > 0 %}{{ x }}{{ f(x - 1) }}{% endif %}{% endmacro %}{{ f(4) }}",
    "{% macro f() %}<{{ caller() }}>{% endmacro %}{% call f() %}in{{ n }}{% endcall %}",
    "{% macro f() %}{{ caller(1, 'z') }}{% endmacro %}{% call(a, b) f() %}{{ a }}{{ b }}{% endcall %}",
    "{% macro f(x) %}  {{ x }}  {% endmacro %}[{{ f('a')|trim }}][{{ f('b').strip() }}]",
    "{% filter upper %}abc {{ word }}{% endfilter %}{% filter replace('a', 'b')|trim %} aa {% endfilter %}",
    "{% raw %}{{ not }} {% this %}{% endraw %}!",
    "{%- raw -%}  {{ x }}  {%- endraw -%}  !",
    "{# comment #}a{#- strip -#} b {# x\ny #}\nc",
    "  {% if yes %}\n  a\n  {% endif %}\nb\n",
    "  {%+ if yes %}\n  a\n  {%- endif %}\nb\n\n",
    "a\n\t{%- if yes -%}\n\n b \n{%- endif -%}\n\n c",
    "{{ 'x' }}\n{{ 'y' }}\n",
    "x {{- ' y ' -}} z",
    "{% if yes -%}\n  a\n{%- endif +%}\nb",
    "line\r\nwith {% if yes %}\r\ncr{% endif %}\r\n",
    "{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a }}",
    "{{ {'a': {'b': 1}}['a']['b'] }}{{ {'a': {}} }}",
    "{{ '{{' }}{{ '}}' }}{{ \"{%\" }}",
    "{ { % } # }{",
    "{{ messages[0].content }}|{{ messages[0]['content']|trim }}|{{ messages[-1].role }}",
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
    "{{ bos_token }}{% for message in messages %}{% set content = message['role'] | capitalize + ': '+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}",
    "{%- set ns = namespace(found=false, at=messages|length - 1) %}{%- for m in messages[::-1] %}{%- set index = (messages|length - 1) - loop.index0 %}{%- if not ns.found and m.role == 'user' and not (m.content.startswith('<tool_response>') and m.content.endswith('</tool_response>')) %}{%- set ns.found = true %}{%- set ns.at = index %}{%- endif %}{%- endfor %}{{ ns.at }}",
    "{%- for m in messages %}{%- if m.tool_calls %}{%- for t in m.tool_calls %}{%- if t.function %}{%- set t = t.function %}{%- endif %}{{ t.name }}: {% if t.arguments is string %}{{ t.arguments }}{% else %}{{ t.arguments | tojson }}{% endif %}\n{%- endfor %}{%- endif %}{%- endfor %}",
    "{%- for m in messages %}{%- if '</think>' in m.content %}{%- set r = m.content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}{{ r }}|{{ m.content.split('</think>')[-1].lstrip('\\n') }}{%- endif %}{%- endfor %}",
    "{%- for m in messages -%}{%- if m.role == 'tool' -%}{%- if loop.first or messages[loop.index0 - 1].role != 'tool' -%}[{%- endif -%}{{ m.content }}{%- if loop.last or messages[loop.index0 + 1].role != 'tool' -%}]{%- endif -%}{%- endif -%}{%- endfor -%}",
    "{% if tools is defined and tools is not none and tools|length > 0 %}{% for tool in tools %}{{ tool.function.name }}({% for p, v in tool.function.parameters.properties.items() %}{{ p }}: {{ v.type }}{{ ', ' if not loop.last }}{% endfor %}){% endfor %}{% endif %}",
    "{{ '<think>\\n' if enable_thinking is defined and enable_thinking is false else '' }}x",
    "{% for a in nested %}{% for b in a %}{{ b }}{{ loop.first }}{% endfor %}{{ loop.index }}{% endfor %}",
    "{% set x = 5 %}{% macro f() %}{{ x }}{% endmacro %}{% set x = 6 %}{{ f() }}",
    "{% macro outer() %}{% macro inner(a) %}({{ a }}){% endmacro %}{{ inner(1) }}{% endmacro %}{{ outer() }}",
    "{% for p in people|sort(attribute='name') %}{{ p.name }}{% endfor %}",
    "{%- macro t(c) -%}{%- if c is string -%}{{ c }}{%- elif c is iterable and c is not mapping -%}{%- for i in c -%}{{ i.text if i is mapping else i }}{%- endfor -%}{%- endif -%}{%- endmacro -%}{{ t('a') }}{{ t([{'text': 'b'}, 'c']) }}",
    "{{ n }}{{n}}{{  n  }}",
    "{% macro f(a, b=1) %}{{ a }}{{ b }}{% endmacro %}{{ f(none, none) }}{% set x = none %}{{ x }}{{ x is none }}{% for y in [none, 2] %}{{ y }}{{ loop.previtem }}{{ loop.nextitem }}{% endfor %}",
    "{{ '<a href=\"x\">&\\'</a>'|escape }}{{ '<b>'|e }}{{ '<b>'|safe }}",
    "{% set loop_messages = messages[1:] if messages[0].role == 'system' else messages %}{{ loop_messages|length }}",
    "{% if 'a' == 'a' and ('b' == 'c' or not no) %}t{% endif %}",
    "",
    "\n",
    "plain\n\n",
]


def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    return env


def main():
    env = environment()
    if len(sys.argv) > 1:
        data = json.load(sys.stdin)
        for path in sorted(glob.glob(sys.argv[1] + "/*.jinja")):
            with open(path, encoding="utf-8", newline="") as f:
                source = f.read()
            with open(path + ".expected", "w", encoding="utf-8", newline="") as f:
                f.write(env.from_string(source).render(**data))
        return
    templates = BLOCKS[:]
    for line in EXPRESSIONS.strip().split("\n"):
        templates.append("{{ [" + line + "] }}" if not line.startswith("{") and not line.startswith("(") else "{{ " + line + " }}")
        # Each alone too, so that one wrong answer hides no other.
        templates.append("{{ " + line + " }}")
    cases = []
    for template in templates:
        try:
            cases.append({"template": template, "expected": env.from_string(template).render(**DATA)})
        except jinja2.exceptions.TemplateError as error:
            cases.append({"template": template, "error": type(error).__name__})
        except Exception as error:
            cases.append({"template": template, "error": type(error).__name__})
    json.dump({"data": DATA, "cases": cases}, sys.stdout, ensure_ascii=True, indent=0)


main()
