/**
 * Thousands of hostile templates: each ends, soon, in text or a typed error. They run in a process of their own, whose
 * memory is limited and which is killed when it hangs, because what is tested for is exactly that.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { build } from "esbuild";
import { TEMPLATE_CHARS_MAX } from "../../../src/core/limits.ts";
import { Template } from "../../../src/generate/jinja/template.ts";
import { HANDWRITTEN } from "./hostile-templates.ts";

/** What the child may use; a template that fills memory dies of it. */
const HEAP_MB = 256;
/** Far beyond the fraction of a second each may take, on the slowest machine. */
const TEMPLATE_TIMEOUT_MS = 30_000;
const RANDOM_TEMPLATES = 5000;

interface Report {
  readonly count: number;
  readonly codes: Readonly<Record<string, number>>;
  readonly untyped: readonly string[];
}

describe("hostile templates", () => {
  test(
    `${HANDWRITTEN.length} handwritten and ${RANDOM_TEMPLATES} random ones end in text or a typed error; the ` +
      "process lives",
    async (t) => {
      const { count, codes, untyped } = await runChild();
      t.diagnostic(JSON.stringify(codes));
      assert.deepEqual(untyped, []);
      assert.equal(count, HANDWRITTEN.length + RANDOM_TEMPLATES);
      // All four ways to end are met, or the templates do not test what they should.
      for (const code of ["ok", "template/limit", "template/raised", "template/syntax"])
        assert.ok(codes[code] > 20, code);
    },
  );

  test("reach nothing outside the values they were given", () => {
    const look = (source: string): string =>
      new Template(source)
        .render({ input: { messages: [{ role: "user" }] } })
        .map(({ text }) => text)
        .join("");
    for (const name of [
      "constructor",
      "__proto__",
      "prototype",
      "toString",
      "hasOwnProperty",
      "length",
      "flips",
      "text",
      "values",
    ]) {
      assert.equal(
        look(
          `{{ messages.${name} }}{{ messages['${name}'] }}{{ 'x'.${name} }}{{ ''['${name}'] }}{{ 1.5.${name} ` +
            `}}{{ range.${name} }}{{ namespace().${name} }}`,
        ),
        "",
        name,
      );
    }
    assert.equal(
      look(
        "{{ messages[0].constructor }}{{ messages[0].hasOwnProperty }}{{ {}.__proto__ }}{{ process }}{{ " +
          "globalThis }}{{ this }}",
      ),
      "",
    );
    assert.throws(() => look("{{ 'x'.constructor('y') }}"), { code: "template/raised" });
    assert.throws(() => look("{{ 'x'|constructor }}"), { code: "template/raised", message: /no filter/ });
    assert.throws(() => look("{{ 'x' is constructor }}"), { code: "template/raised", message: /no test/ });
    assert.throws(() => look("{% include 'x' %}"), { code: "template/syntax", message: /include/ });
  });

  test("errors name the limit", () => {
    const render = (source: string) => () => new Template(source).render({ input: {} });
    assert.throws(render("x".repeat(TEMPLATE_CHARS_MAX + 1)), { code: "template/limit", message: /characters/ });
    assert.throws(render(`{{ ${"(".repeat(500)}1${")".repeat(500)} }}`), { code: "template/limit", message: /nested/ });
    assert.throws(render("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"), {
      code: "template/limit",
      message: /recurses/,
    });
    assert.throws(render("{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}"), {
      code: "template/limit",
      message: /more than the \d+ steps/,
    });
    assert.throws(render("{{ range(100001) }}"), { code: "template/limit", message: /100000 items, got 100001/ });
    assert.throws(render("{{ 2 ** 60 }}"), { code: "template/limit", message: /2\^53/ });
  });

  test("long conversations stay within the limits", () => {
    const messages = Array.from({ length: 2000 }, (_, i) => ({
      role: i % 2 ? "assistant" : "user",
      content: `Turn ${i}: ${"lorem ipsum ".repeat(50)}`,
    }));
    const source =
      "{% for m in messages %}{% if m.role == 'user' and '</think>' not in m.content %}<|im_start|>{{ m.role + " +
      "'\n' + m.content|trim }}{% else %}{{ m.content.split('</think>')[-1].lstrip('\n') }}{% endif " +
      "%}<|im_end|>{% endfor %}";
    assert.ok(new Template(source).render({ input: { messages } }).length > 2000);
    const [run] = new Template("{{ messages[0].content|trim }}").render({
      input: { messages: [{ role: "user", content: "x".repeat(5_000_000) }] },
    });
    assert.equal(run.text.length, 5_000_000);
  });
});

/** Renders every template in a child process; each result it sends winds the watchdog again. */
async function runChild(): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), "onebit-hostile-"));
  try {
    const outfile = join(folder, "child.mjs");
    await build({
      entryPoints: ["tests/generate/jinja/hostile-child.ts"],
      outfile,
      bundle: true,
      platform: "node",
      format: "esm",
      logLevel: "error",
    });
    return await new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [`--max-old-space-size=${HEAP_MB}`, outfile, String(RANDOM_TEMPLATES)], {
        stdio: ["ignore", "inherit", "inherit", "ipc"],
      });
      let last = "nothing";
      let report: Report | undefined;
      const hangs = (): void => void child.kill("SIGKILL");
      let watchdog = setTimeout(hangs, TEMPLATE_TIMEOUT_MS);
      child.on("message", (message: { starts?: string; report?: Report }) => {
        clearTimeout(watchdog);
        watchdog = setTimeout(hangs, TEMPLATE_TIMEOUT_MS);
        last = message.starts ?? last;
        report = message.report ?? report;
      });
      child.on("exit", (code, signal) => {
        clearTimeout(watchdog);
        if (report !== undefined && code === 0) resolve(report);
        else reject(new Error(`the process ended with ${signal ?? code} at or after the template: ${last}`));
      });
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
