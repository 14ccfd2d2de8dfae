/**
 * README and docs are run: every command line and every program in them, in a folder that holds the files they name;
 * programs for pages and Workers are type-checked. What tables say is compared with the tables of the code, and links
 * lead somewhere.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { checkExampleTypes, makeExampleFolder } from "./docs-examples/example-folder.ts";
import { TENSOR_TYPES } from "../src/files/tensor-types.ts";
import { ggufArchitecture } from "../src/model/architectures.ts";
import { IGNORED_FIELDS } from "../src/server/ignored-fields.ts";
import { FORMAT_FIELDS } from "../src/server/output-fields.ts";
import { SAMPLING_FIELDS } from "../src/server/sampling-fields.ts";

interface Document {
  readonly path: string;
  readonly text: string;
}

const documents: readonly Document[] = [
  "README.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  ...readdirSync("docs")
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
].map((path) => ({ path, text: readFileSync(path, "utf8") }));
const README_BYTES_MAX = 10_000;
/** The command line as it was built. */
const CLI = resolve("dist/cli.js");
const EXAMPLE_TIMEOUT_MS = 60_000;

describe("examples", () => {
  let folder = "";

  before(async () => {
    folder = await makeExampleFolder();
    mkdirSync(join(folder, "bin"));
    writeFileSync(join(folder, "bin", "onebit"), `#!/bin/sh\nexec "${process.execPath}" "${CLI}" "$@"\n`);
    chmodSync(join(folder, "bin", "onebit"), 0o755);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const line of new Set(blocks("console").flatMap(({ text }) => text.trim().split("\n")))) {
    test(line, () => {
      assert.match(line, /^\$ onebit /);
      succeeds("sh", ["-c", line.slice(2)], folder);
    });
  }

  for (const [i, { path, text }] of blocks("js").entries()) {
    test(`${path}, program ${i + 1}`, () => {
      const file = `example-${i + 1}.mjs`;
      writeFileSync(join(folder, file), text);
      succeeds(process.execPath, [file], folder);
    });
  }

  test("programs for pages and Workers type-check", () => {
    const files = blocks("ts").map(({ text }, i) => {
      writeFileSync(join(folder, `page-${i + 1}.ts`), text);
      return `page-${i + 1}.ts`;
    });
    checkExampleTypes(folder, files);
    assert.ok(files.length >= 4);
  });
});

test("there are examples, and the README is short", () => {
  assert.ok(blocks("console").length >= 2 && blocks("js").length >= 4);
  assert.ok(document("README.md").length <= README_BYTES_MAX);
});

test("scripts and links it names exist", () => {
  const scripts = (JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> }).scripts;
  const commands = blocks("sh")
    .flatMap(({ text }) => text.trim().split(/\n| && /))
    .map((command) => command.replace(/\s*#.*/, ""));
  for (const command of commands) {
    const [program, ...words] = command.split(/\s+/),
      argument = words[0] === "run" ? words[1] : words[0];
    if (program === "npm") assert.ok(argument === "ci" || argument in scripts, command);
    else if (program === "npx") assert.equal(argument, "onebit");
    else assert.ok(existsSync(program === "node" ? argument : program), command);
  }
  for (const { path, text } of documents) {
    for (const [, link] of text.matchAll(/\]\(([^)#][^)]*)\)/g)) {
      if (!link.startsWith("http"))
        assert.ok(existsSync(join(dirname(path), link.replace(/#.*/, ""))), `${path}: ${link}`);
    }
  }
});

describe("tables", () => {
  test("list every architecture, and no other", () => {
    const listed = column("README.md", "architecture");
    for (const name of listed) assert.doesNotThrow(() => ggufArchitecture(name), name);
    assert.throws(
      () => ggufArchitecture("none"),
      (error: Error) => {
        const supported = /wanted one of ([^;]*);/.exec(error.message)?.[1].split(", ") ?? [];
        assert.ok(supported.length > 0);
        assert.deepEqual([...listed].sort(), supported.sort());
        return true;
      },
    );
  });

  test("list every computed tensor type, and no other", () => {
    const listed = new Set(column("docs/models.md", "tensor type").filter((name) => name !== "U8"));
    const computed = Object.values(TENSOR_TYPES).filter(({ layout }) =>
      ["ternary", "binary", "dense"].includes(layout),
    );
    // "`Q2_0` (blocks of 64 and of 128)" is two types of the code.
    const known = computed.map(({ name }) => name).filter((name) => name !== "Q2_0_G128");
    assert.deepEqual([...listed].sort(), known.sort() as string[]);
  });

  test("name every field of a request that samples, and every one that is ignored", () => {
    const named = new Set([...document("docs/server.md").matchAll(/`([\w-]+)`/g)].map(([, name]) => name));
    const fields = [...Object.keys(SAMPLING_FIELDS), ...Object.keys(FORMAT_FIELDS), ...IGNORED_FIELDS];
    assert.deepEqual(
      fields.filter((name) => !named.has(name)),
      [],
    );
  });

  test("list every dependency, each with a reason", () => {
    const manifest = JSON.parse(readFileSync("package.json", "utf8")) as Record<
      "dependencies" | "devDependencies",
      object
    >;
    const listed = column("CONTRIBUTING.md", "");
    assert.deepEqual([...listed].sort(), Object.keys({ ...manifest.dependencies, ...manifest.devDependencies }).sort());
  });
});

function document(path: string): string {
  return documents.find((one) => one.path === path)?.text ?? assert.fail(path);
}

/** The fenced blocks of one language, in all documents. */
function blocks(language: string): Document[] {
  const block = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, "gm");
  return documents.flatMap(({ path, text }) => [...text.matchAll(block)].map((match) => ({ path, text: match[1] })));
}

/** Every `name` in the first column of the table of a document whose first heading is `heading`. */
function column(path: string, heading: string): string[] {
  const table = new RegExp(`^\\| ?${heading} ?\\|.*\\n\\|[-|]+\\n((?:\\|.*\\n)+)`, "m").exec(document(path));
  assert.ok(table, `a table headed "${heading}"`);
  return table[1]
    .trim()
    .split("\n")
    .flatMap((row) => [...row.split("|")[1].matchAll(/`([^`]+)`/g)].map((match) => match[1]));
}

function succeeds(program: string, args: readonly string[], folder: string): void {
  const PATH = `${join(folder, "bin")}${delimiter}${process.env.PATH ?? ""}`;
  const run = spawnSync(program, args, {
    cwd: folder,
    env: { ...process.env, PATH },
    encoding: "utf8",
    timeout: EXAMPLE_TIMEOUT_MS,
  });
  assert.equal(run.status, 0, `${run.error?.message ?? ""}${run.stderr}`);
  const outFile = args.join(" ").match(/--out (\S+)/)?.[1];
  if (outFile === undefined) assert.notEqual(run.stdout.length, 0, "it says something");
  else assert.ok(existsSync(join(folder, outFile)), `it writes ${outFile}`);
}
