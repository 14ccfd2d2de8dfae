/**
 * Chat templates against Python's Jinja in transformers' setting: real templates on conversations of every kind, and
 * every filter, test, method and operator on values of every kind.
 *
 * A second oracle, `@huggingface/jinja`, renders the real templates too. Where the two differ Python's decides: the
 * templates are written for it. How often they differ is told, and in README.md.
 *
 * ONEBIT_CHATS=all: every template with every conversation and variables. Without it each template has a third of them,
 * and each of them a third of the templates: that takes a minute less, of the two.
 */
import assert from "node:assert/strict";
import { describe, mock, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { OnebitError } from "../../src/core/errors.ts";
import { Template } from "../../src/generate/jinja/template.ts";
import { changesOf, kindsOf } from "./chat/characters.ts";
import { CONVERSATIONS, SPECIAL_TOKENS, VARIABLES } from "./chat/conversations.ts";
import { DATA, expressionTemplates } from "./chat/expressions.ts";
import { hfJinjaInstalled, rendererOfHfJinja } from "./chat/hf-jinja.ts";
import { jinja2Installed, NOW, pythonCharacters, renderWithJinja2, type Outcome } from "./chat/jinja2.ts";
import { realTemplates } from "./chat/real-templates.ts";

const ALL_CHATS = process.env["ONEBIT_CHATS"] === "all";

/** The two oracles agree on 89 % of the renderings. */
const ORACLES_AGREE_MIN = 0.8;
const skip =
  jinja2Installed || process.env["ONEBIT_PEER"] === "1"
    ? false
    : "Python's Jinja is not installed: apt-get install python3-jinja2";

/** Letters that got another case, or a kind, after Unicode 14, the oldest version of a Python that this runs on. */
const CHANGED_SINCE_UNICODE_14 = new Set([0x19b, 0x264, 0x295, 0x10fc, 0xa7d3, 0xa7d5, 0xa7f2, 0xa7f3, 0xa7f4, 0xab69]);

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

type Data = Readonly<Record<string, unknown>>;

/** One template, parsed once. */
function rendererHere(source: string): (data: Data) => Outcome {
  let template: Template;
  return (data) => {
    try {
      template ??= new Template(source);
      return {
        text: template
          .render({ input: data, trusted: SPECIAL_TOKENS, now: NOW })
          .map(({ text }) => text)
          .join(""),
      };
    } catch (error) {
      if (!(error instanceof OnebitError)) throw error;
      return { error: error.code, message: error.message };
    }
  };
}

function conversationTasks(source: string): { what: string; source: string; data: Data }[] {
  return CONVERSATIONS.flatMap(({ name, messages, tools = null, documents = null }) =>
    VARIABLES.map(([variables, values]) => ({
      what: `${name}, ${variables}`,
      source,
      data: { messages, tools, documents, ...values },
    })),
  );
}

/** A start of Python takes longer than a hundred renderings; the texts of all of them would be a gigabyte. */
const RENDERINGS_A_START = 1000;

function inPython(tasks: readonly { source: string; data: Data }[]): Outcome[] {
  const answers: Outcome[] = [];
  for (let begin = 0; begin < tasks.length; begin += RENDERINGS_A_START)
    answers.push(
      ...renderWithJinja2(
        tasks
          .slice(begin, begin + RENDERINGS_A_START)
          .map(({ source, data }) => ({ source, data: { ...SPECIAL_TOKENS, ...data } })),
      ),
    );
  return answers;
}

const shown = (outcome: Outcome): string => JSON.stringify(outcome).slice(0, 300);

/** How the second oracle stands to the first, which decides. */
function verdict(second: Outcome, first: Outcome): "bothAgree" | "secondRefuses" | "secondRenders" | "secondDiffers" {
  if (isEqual(second, first)) return "bothAgree";
  if (second.error !== undefined) return "secondRefuses";
  return first.error === undefined ? "secondDiffers" : "secondRenders";
}

/** Both give the same text, or both refuse. */
function isEqual(ours: Outcome, theirs: Outcome): boolean {
  return ours.error !== undefined || theirs.error !== undefined
    ? ours.error !== undefined && theirs.error !== undefined
    : ours.text === theirs.text;
}

describe("chat templates against Python's Jinja", { skip }, () => {
  test("real templates × conversations × variables", { timeout: Infinity }, (t) => {
    // The oracles' clock is UTC's.
    process.env["TZ"] = "UTC";
    mock.timers.enable({ apis: ["Date"], now: NOW });
    const origins = realTemplates();
    t.diagnostic([...origins].map(([origin, templates]) => `${templates.length} of ${origin}`).join(", "));
    const counts = { total: 0, bothAgree: 0, secondRefuses: 0, secondRenders: 0, secondDiffers: 0 };
    const differences: string[] = [];
    const all = [...origins.values()].flat().map(({ name, source }, which) => ({
      name,
      source,
      tasks: conversationTasks(source).filter((_, i) => ALL_CHATS || (i + which) % 3 === 0),
    }));
    const answers = inPython(all.flatMap(({ tasks }) => tasks));
    for (const { name, source, tasks } of all) {
      const theirs = answers.splice(0, tasks.length);
      const [here, second] = [rendererHere(source), hfJinjaInstalled ? rendererOfHfJinja(source) : undefined];
      tasks.forEach(({ what, data }, i) => {
        counts.total++;
        const ours = here(data);
        if (!isEqual(ours, theirs[i]))
          differences.push(`${name}: ${what}: ours ${shown(ours)}, theirs ${shown(theirs[i])}`);
        if (second !== undefined) counts[verdict(second({ ...SPECIAL_TOKENS, ...data }), theirs[i])]++;
      });
    }
    mock.timers.reset();
    const { total, bothAgree } = counts;
    t.diagnostic(
      `${total} renderings, ${total - differences.length} equal; of @huggingface/jinja: ${JSON.stringify(counts)}`,
    );
    assert.ok(total >= 4 * CONVERSATIONS.length * VARIABLES.length);
    assert.deepEqual(differences, []);
    assert.ok(!hfJinjaInstalled || bothAgree >= total * ORACLES_AGREE_MIN, "the second oracle hardly takes part");
  });

  test("every filter, test, method and operator on values of every kind", (t) => {
    process.env["TZ"] = "UTC";
    const templates = [...new Set(expressionTemplates())];
    const theirs = renderWithJinja2(templates.map((source) => ({ source, data: { ...DATA } })));
    const reasons: Record<string, number> = {};
    const unexplained: string[] = [];
    templates.forEach((source, i) => {
      const ours = rendererHere(source)(DATA);
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

  test("every character is of the kinds, and has the cases, that Python's has", (t) => {
    const characters = pythonCharacters();
    const different = characters.filter(([code, kinds, changes]) => {
      const char = String.fromCodePoint(code);
      return !isDeepStrictEqual(kindsOf(char), kinds) || !isDeepStrictEqual(changesOf(char), changes);
    });
    const codes = different.map(([code]) => code);
    t.diagnostic(`${characters.length} characters, ${codes.length} differ: ${codes.map((code) => code.toString(16))}`);
    assert.deepEqual(
      codes.filter((code) => !CHANGED_SINCE_UNICODE_14.has(code)),
      [],
    );
  });
});
