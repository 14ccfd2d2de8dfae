/**
 * Docstrings are run: every `@example` of what the package exports has right types and ends without an error, as a
 * module of its own in a folder that holds the files it names. Every exported function and class has one. The package
 * is dist/, its types dist/types, as they are built.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { transform } from "esbuild";
import { type Documented, documentedNames, entrySources, examplesIn } from "./docs-examples/doc-comments.ts";
import { checkExampleTypes, makeExampleFolder } from "./docs-examples/example-folder.ts";
import { FakeHub } from "./hub/fake-hub.ts";

/** Only a browser has what these want: their types alone are checked. */
const BROWSER_ONLY: readonly string[] = ["onebit/hub browserHub"];
const EXAMPLES_TIMEOUT_MS = 120_000;

interface Example {
  /** Of its files. */
  readonly file: string;
  readonly of: string;
  readonly code: string;
}

const names = uniqueOf(documentedNames);
const examples: readonly Example[] = names.flatMap(({ entry, name, text }) =>
  examplesIn(text).programs.map((code, i) => {
    const of = `${entry} ${name}`.trim();
    return { of, code, file: `${of}${i === 0 ? "" : `-${i + 1}`}`.replace(/[^A-Za-z0-9-]+/g, "-") };
  }),
);

/** Names that several entries export count for the first. */
function uniqueOf(all: () => Documented[]): Documented[] {
  const seen = new Set<string>();
  return all().filter(({ path, name }) => {
    const key = `${path} ${name}`;
    return !seen.has(key) && seen.add(key);
  });
}

describe("examples in docstrings", () => {
  let folder = "",
    hub: FakeHub;

  before(async () => {
    folder = await makeExampleFolder();
    hub = await FakeHub.start();
    hub.repos.set("owner/repo", {
      commit: "a".repeat(40),
      files: { "model.gguf": readFileSync(`${folder}/model.gguf`) },
    });
    for (const { file, code } of examples) {
      mkdirSync(join(folder, file));
      for (const fixture of ["model.gguf", "text.txt"]) symlinkSync(`../${fixture}`, join(folder, file, fixture));
      writeFileSync(join(folder, file, `${file}.ts`), code);
    }
  });
  after(async () => {
    await hub.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test("have right types", () => {
    checkExampleTypes(
      folder,
      examples.map(({ file }) => `${file}/${file}.ts`),
    );
  });

  test("run", async () => {
    const run = examples.filter(({ of }) => !BROWSER_ONLY.includes(of));
    for (const { file, code } of run) {
      const { code: js } = await transform(code, { loader: "ts", format: "esm", target: "node20" });
      writeFileSync(join(folder, file, `${file}.mjs`), js);
    }
    const child = spawn(
      process.execPath,
      ["tests/docs-examples/run-examples.mjs", folder, ...run.map(({ file }) => file)],
      {
        stdio: ["ignore", "ignore", "inherit"],
        timeout: EXAMPLES_TIMEOUT_MS,
        env: { ...process.env, HF_ENDPOINT: hub.url, HF_HOME: join(folder, "hf"), ONEBIT_CACHE: join(folder, "urls") },
      },
    );
    const [status] = await once(child, "exit");
    assert.equal(status, 0);
    assert.deepEqual(JSON.parse(readFileSync(join(folder, "failures.json"), "utf8")), {});
  });
});

test("every example is a program in a ts block", () => {
  assert.deepEqual(
    names.filter(({ text }) => examplesIn(text).bare > 0).map(({ entry, name }) => `${entry} ${name}`),
    [],
  );
});

test("every exported function and class has an example", async () => {
  const missing: string[] = [];
  for (const entry of entrySources().keys()) {
    const module = (await import(pathToFileURL(resolve(`dist/${doorOf(entry)}`)).href)) as object;
    for (const name of functionsOf(module)) {
      const found = names.find((each) => each.name === name && examplesIn(each.text).programs.length > 0);
      if (found === undefined) missing.push(`${entry} ${name}`);
    }
  }
  assert.deepEqual(missing, []);
});

/** The bundle of an entry. */
function doorOf(entry: string): string {
  return `${entry === "onebit" ? "index" : entry.slice("onebit/".length)}.js`;
}

/** Functions and classes, also those in a namespace. */
function functionsOf(module: object, prefix = ""): string[] {
  return Object.entries(module).flatMap(([name, value]) => {
    if (typeof value === "function") return [prefix + name];
    return value?.[Symbol.toStringTag] === "Module" || name === "ops" ? functionsOf(value, `${name}.`) : [];
  });
}
