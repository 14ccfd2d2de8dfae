/**
 * Chat templates against Python's Jinja in transformers' setting: real templates on conversations of every kind, and
 * every filter, test, method and operator on values of every kind.
 *
 * The templates are those of the vocabularies that this folder's package.json names, and onebit's own;
 * `ONEBIT_TEMPLATES=FOLDER` adds the *.jinja files of a folder.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { OnebitError } from "../../src/core/errors.ts";
import { CHAT_TEMPLATES } from "../../src/generate/chat-templates.ts";
import { Template } from "../../src/generate/jinja/template.ts";
import { CONVERSATIONS, SPECIAL_TOKENS, VARIABLES } from "./chat/conversations.ts";
import { DATA, expressionTemplates } from "./chat/expressions.ts";
import { jinja2Installed, NOW, renderWithJinja2, type Outcome } from "./chat/jinja2.ts";

const EQUAL_MIN = 0.999;
const skip =
  jinja2Installed || process.env["ONEBIT_PEER"] === "1"
    ? false
    : "Python's Jinja is not installed: apt-get install python3-jinja2";

/** Why a difference stays, by what the template or Python's answer shows. */
const KNOWN: readonly (readonly [reason: string, shows: RegExp])[] = [
  [
    "addresses and names of Python's objects",
    / at 0x|-0-x-|generator object|bound method|built-in|Macro|range\(0, 3\)|<function/i,
  ],
  ["integers beyond 2^53 are refused", /1e20\)\|int/],
  ["powers that are no integers differ in the last bit; complex numbers are refused", /\) \*\* \((?:x|-0\.5)\)/],
  ["tuples are no keys", /unique|\{\(1, 2\)/],
  ["a method may be written as a filter", /map\('split'/],
  ["lipsum is refused", /lipsum/],
  [
    "Python asks a generator's text, or what cannot be hashed",
    /map\('upper'\)\)\|(?:urlencode|wordcount|replace)|items\(\)\) is (?:filter|test)|\(1, 'a'\)\)\.copy/,
  ],
];

function renderHere(source: string, data: Readonly<Record<string, unknown>>): Outcome {
  try {
    return {
      text: new Template(source)
        .render({ input: data, trusted: SPECIAL_TOKENS, now: NOW })
        .map(({ text }) => text)
        .join(""),
    };
  } catch (error) {
    if (!(error instanceof OnebitError)) throw error;
    return { error: error.code, message: error.message };
  }
}

/** Both give the same text, or both refuse. */
function isEqual(ours: Outcome, theirs: Outcome): boolean {
  return ours.error !== undefined || theirs.error !== undefined
    ? ours.error !== undefined && theirs.error !== undefined
    : ours.text === theirs.text;
}

function realTemplates(): [name: string, source: string][] {
  const found: [string, string][] = Object.entries(CHAT_TEMPLATES);
  const packages = "tests/conformance/node_modules/@lenml";
  for (const name of existsSync(packages) ? readdirSync(packages) : []) {
    const path = join(packages, name, "models/tokenizer_config.json");
    const template = existsSync(path)
      ? (JSON.parse(readFileSync(path, "utf8")) as { chat_template?: unknown }).chat_template
      : undefined;
    if (typeof template === "string") found.push([name, template]);
    else if (Array.isArray(template))
      for (const named of template as { name: string; template: string }[])
        found.push([`${name} ${named.name}`, named.template]);
  }
  const folder = process.env["ONEBIT_TEMPLATES"];
  if (folder !== undefined)
    for (const name of readdirSync(folder))
      if (name.endsWith(".jinja")) found.push([name, readFileSync(join(folder, name), "utf8")]);
  return found;
}

describe("chat templates against Python's Jinja", { skip }, () => {
  test("real templates × conversations × variables", (t) => {
    // The oracle's clock is UTC's.
    process.env["TZ"] = "UTC";
    const templates = realTemplates();
    const differences: string[] = [];
    let total = 0;
    for (const [name, source] of templates) {
      const tasks = CONVERSATIONS.flatMap((conversation) =>
        VARIABLES.map(([variables, values]) => {
          const { messages, tools = null, documents = null } = conversation;
          return {
            what: `${name}: ${conversation.name}, ${variables}`,
            source,
            data: { messages, tools, documents, ...values },
          };
        }),
      );
      const theirs = renderWithJinja2(tasks.map(({ data }) => ({ source, data: { ...SPECIAL_TOKENS, ...data } })));
      tasks.forEach(({ what, data }, i) => {
        total++;
        const ours = renderHere(source, data);
        if (!isEqual(ours, theirs[i]))
          differences.push(
            `${what}: ours ${JSON.stringify(ours).slice(0, 300)}, theirs ${JSON.stringify(theirs[i]).slice(0, 300)}`,
          );
      });
    }
    t.diagnostic(`${templates.length} templates, ${total} renderings, ${total - differences.length} equal`);
    assert.ok(total >= 4 * CONVERSATIONS.length * VARIABLES.length);
    assert.ok(differences.length <= total * (1 - EQUAL_MIN), differences.join("\n"));
  });

  test("every filter, test, method and operator on values of every kind", (t) => {
    process.env["TZ"] = "UTC";
    const templates = [...new Set(expressionTemplates())];
    const theirs = renderWithJinja2(templates.map((source) => ({ source, data: { ...DATA } })));
    const reasons: Record<string, number> = {};
    const unexplained: string[] = [];
    templates.forEach((source, i) => {
      const ours = renderHere(source, DATA);
      if (isEqual(ours, theirs[i])) return;
      const text = `${source}: ours ${JSON.stringify(ours)}, theirs ${JSON.stringify(theirs[i])}`;
      const reason = KNOWN.find(([, shows]) => shows.test(text))?.[0];
      if (reason === undefined) unexplained.push(text);
      else reasons[reason] = (reasons[reason] ?? 0) + 1;
    });
    t.diagnostic(`${templates.length} templates; differences: ${JSON.stringify(reasons)}`);
    assert.deepEqual(unexplained, []);
    assert.equal(Object.keys(reasons).length, KNOWN.length, "a reason that explains nothing is gone");
  });
});
