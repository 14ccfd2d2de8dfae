"""Renders chat templates as transformers does: one JSON task a line in, one JSON result a line out.

A task is {"source": template, "data": variables}; a result {"text": …} or {"error": name of the exception}.
The environment is the one of transformers' apply_chat_template: immutable, sandboxed, blocks trimmed, with its own tojson,
raise_exception, strftime_now, break and continue, and the generation tag, which prints what it holds.
"""
import json
import sys
from datetime import datetime, timezone

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = datetime(2026, 3, 7, 9, 5, 3, tzinfo=timezone.utc)


class Generation(Extension):
    tags = {"generation"}

    def parse(self, parser):
        lineno = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_print"), [], [], body).set_lineno(lineno)

    def _print(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda format: NOW.strftime(format)
    return env


def main():
    env = environment()
    templates = {}
    for line in sys.stdin:
        task = json.loads(line)
        try:
            source = task["source"]
            if source not in templates:
                templates[source] = env.from_string(source)
            result = {"text": templates[source].render(**task["data"])}
        except Exception as error:  # Whatever it is, the template cannot be rendered.
            result = {"error": type(error).__name__, "message": str(error)[:300]}
        print(json.dumps(result), flush=True)


main()
