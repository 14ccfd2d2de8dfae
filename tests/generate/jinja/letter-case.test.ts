/** What Python 3.11 says; tests/conformance compares every character where Python is installed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Template } from "../../../src/generate/jinja/template.ts";

const CASES: readonly (readonly [template: string, expected: string])[] = [
  ["{{ 'ǆ'.title() }}{{ 'ßa'.capitalize() }}{{ 'ﬁn'.title() }}{{ 'ა'.title() }}{{ 'ᾀᾳᾲ'.title() }}", "ǅSsaFinაᾈᾳᾲ"],
  ["{{ \"they're 3rd\".title() }} {{ 'ΑΣ ΑΣΑ'.title() }} {{ 'ΟΔΟΣ'.capitalize() }}", "They'Re 3Rd Ας Ασα Οδος"],
  ["{{ 'ΑΣ'.casefold() }}{{ 'ẞ'.casefold() }}{{ 'ı'.casefold() }}{{ 'ꭰᏸ'.casefold() }}", "ασssıᎠᏰ"],
  ["{{ 'aΣ'.swapcase() }}{{ 'ǅ'.swapcase() }}{{ 'ⓐ'.swapcase() }}", "AςǅⒶ"],
  ["{{ 'ª'.islower() }}{{ 'aǅ'.islower() }}{{ 'Ⅳ'.isupper() }}{{ '1'.isupper() }}", "TrueFalseTrueFalse"],
  ["{{ 'Ab Cd'.istitle() }}{{ 'Ab cd'.istitle() }}{{ 'AB'.istitle() }}{{ '中A'.istitle() }}", "TrueFalseFalseTrue"],
  ["{{ '中' is lower }}{{ 'a中' is lower }}{{ 'A1' is upper }}", "FalseTrueTrue"],
  ["{{ '一'.isnumeric() }}{{ '一'.isdigit() }}{{ '፩'.isdigit() }}{{ '፩'.isdecimal() }}", "TrueFalseTrueFalse"],
  ["{{ '😀a😁😀'.strip('😀') }}|{{ '😀a'.lstrip('\\ud83d') | length }}|{{ ''.capitalize() }}", "a😁|2|"],
];

for (const [template, expected] of CASES) {
  test(template, () => {
    const text = new Template(template).render({ input: {} }).map((run) => run.text);
    assert.equal(text.join(""), expected);
  });
}
