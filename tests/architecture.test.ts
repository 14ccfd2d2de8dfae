/**
 * The rules of the house, executable: which way imports point, how long things may be, what may not appear.
 * Each rule lists every offence it finds as `file:line what`, so that one run shows all there is to mend.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, test } from "node:test";
import { blankNonCode, functionSpans, importedModules, topLevelEffects } from "./architecture/source-scan.ts";

const FILE_LINES_MAX = 500;
const FUNCTION_LINES_MAX = 70;
/** In characters. What a formatter cannot break is broken by hand: comments, strings, regular expressions. */
const LINE_LENGTH_MAX = 120;

/**
 * For each folder of src, and each file beside the folders, what it may import from. Arrows point down only. `platform`
 * is a value that the faces pass in, so only the faces, `load.ts` and the doors know that it exists. `abi.ts` is
 * assembly/abi.ts: the numbers both sides share.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  platform: ["core"],
  files: ["core"],
  grammar: ["core"],
  kernels: ["abi.ts", "core"],
  tokenizer: ["files", "core"],
  model: ["files", "tokenizer", "kernels", "abi.ts", "core"],
  generate: ["grammar", "model", "files", "tokenizer", "kernels", "core"],
  nn: ["kernels", "abi.ts", "files", "core"],
  train: ["nn", "model", "files", "tokenizer", "kernels", "abi.ts", "core"],
  hub: ["files", "core"],
  "default-model.ts": ["core"],
  "any-model.ts": ["generate", "model", "tokenizer"],
  "model.ts": ["any-model.ts", "generate", "model", "tokenizer", "core"],
  "load.ts": [
    "default-model.ts",
    "model.ts",
    "hub",
    "platform",
    "generate",
    "model",
    "files",
    "tokenizer",
    "kernels",
    "core",
  ],
  "index.ts": [
    "load.ts",
    "any-model.ts",
    "model.ts",
    "hub",
    "platform",
    "generate",
    "model",
    "files",
    "tokenizer",
    "kernels",
    "core",
  ],
  "hub.ts": ["hub", "platform", "files", "core"],
  "nn.ts": ["nn", "core"],
  "train.ts": ["train", "load.ts", "nn", "platform", "core"],
  "shakespeare.d.ts": [],
  server: ["any-model.ts", "index.ts", "core"],
  "ai-sdk": ["any-model.ts", "index.ts", "core"],
  "prompt-api": ["any-model.ts", "index.ts", "core"],
  "ai-sdk.ts": ["ai-sdk"],
  "prompt-api.ts": ["prompt-api"],
  "server.ts": ["server"],
  cli: ["index.ts", "hub.ts", "train.ts", "server", "platform", "core"],
  web: ["index.ts", "load.ts", "hub.ts", "kernels", "default-model.ts", "core"],
  "worker.ts": ["web", "default-model.ts", "core"],
  "worker-host.ts": ["web", "index.ts"],
};

/**
 * Packages the library may name: hashes for browsers, which the bundles have inside. Built-in modules of Node stay in
 * src/platform, the server and the command line.
 */
const DEPENDENCIES: readonly string[] = [
  "@noble/hashes/legacy.js",
  "@noble/hashes/sha2.js",
  "@noble/hashes/utils.js",
  "@hono/node-server",
  "hono/tiny",
  "valibot",
  // Its types alone: nothing of it runs.
  "@ai-sdk/provider",
];

/** Results of these differ between engines in the last bits. `sqrt` and plain arithmetic do not. */
const INEXACT_MATH = new RegExp(
  String.raw`\bMath\s*\.\s*(?:exp|expm1|log|log2|log10|log1p|pow|cbrt|hypot|random` +
    String.raw`|sin|cos|tan|asin|acos|atan|atan2|sinh|cosh|tanh|asinh|acosh|atanh)\b`,
  "g",
);

interface Source {
  readonly path: string;
  readonly text: string;
  /** The text with comments and string contents blanked. */
  readonly code: string;
}

const src = sourcesBelow("src");
const assembly = sourcesBelow("assembly");
const shippedAssembly = assembly.filter(({ path }) => !path.includes("__tests__"));
const scripts = sourcesBelow("scripts");
const benchmarks = sourcesBelow("benchmarks");
const tests = sourcesBelow("tests");
const everything = [...src, ...assembly, ...scripts, ...benchmarks, ...tests];
const others = [...sourcesBelow("examples"), ...sourcesBelow("examples", /\.js$/), ...sourcesBelow("src", /\.css$/)];
/** Made by scripts/unicode/generate.mjs. */
const GENERATED: readonly string[] = ["src/tokenizer/unicode-data.ts", "src/tokenizer/hf-unicode-data.ts"];

describe("imports", () => {
  test("the table covers every folder of src, and the files beside them", () => {
    const folders = new Set(src.map(({ path }) => layerOf(path)));
    assert.deepEqual(
      [...folders].filter((folder) => !(folder in MAY_IMPORT)),
      [],
    );
  });

  test("point down the layers", () => {
    expectNone(src, ({ path, text }) =>
      relativeImports(path, text)
        .filter(
          ({ target }) => layerOf(target) !== layerOf(path) && !MAY_IMPORT[layerOf(path)]?.includes(layerOf(target)),
        )
        .map(({ target }) => `${path} imports ${target}`),
    );
  });

  test("in the page: its state knows nothing of its views", () => {
    expectNone(
      src.filter(({ path }) => path.startsWith("src/web/page/state/")),
      ({ path, text }) =>
        relativeImports(path, text)
          .filter(({ target }) => target.startsWith("src/web/page/views/"))
          .map(({ target }) => `${path} imports ${target}`),
    );
  });

  test("in tests: of the benchmarks only by their own tests", () => {
    expectNone(
      tests.filter(({ path }) => !path.startsWith("tests/benchmarks/")),
      ({ path, text }) =>
        relativeImports(path, text)
          .filter(({ target }) => target.startsWith("benchmarks/"))
          .map(({ target }) => `${path} imports ${target}`),
    );
  });

  test("name files that exist, with their extension", () => {
    expectNone([...src, ...tests, ...benchmarks], ({ path, text }) =>
      relativeImports(path, text)
        .filter(({ target }) => !existsSync(target))
        .map(({ target }) => `${path} imports ${target}`),
    );
  });

  test("form no cycle in src (types included)", () => assert.deepEqual(cycles(src), []));
  test("form no cycle in assembly", () => assert.deepEqual(cycles(assembly), []));

  test(
    "of packages: only those that are accounted for; Node's own only in the platform, the server and the command " +
      "line",
    () => {
      expectNone(src, ({ path, text }) =>
        importedModules(text)
          .map(({ specifier }) => specifier)
          .filter(
            (specifier) =>
              !/^(?:\.|#kernels\/|#models\/|#engine-worker$)/.test(specifier) && !DEPENDENCIES.includes(specifier),
          )
          .filter((specifier) => !(specifier.startsWith("node:") && /^src\/(?:platform|cli|server)\//.test(path)))
          .map((specifier) => `${path} imports ${specifier}`),
      );
    },
  );

  test("in assembly: all that the kernels export is called from src, but XNOR", () => {
    const lists = readFileSync("assembly/index.ts", "utf8").matchAll(/export \{([^}]*)\}/g);
    const names = [...lists].flatMap(([, list]) => list.split(",").map((name) => name.trim())).filter(Boolean);
    assert.ok(names.includes("run"));
    assert.deepEqual(
      names.filter((name) => !src.some(({ text }) => new RegExp(`\\.${name}\\b`).test(text))),
      // Binary weights × binary activations: part of the design, and of the layers by the training builds.
      ["xnorMatmul", "packSigns"],
    );
  });

  test("in assembly: only specs import scalar twins", () => {
    expectNone(shippedAssembly, ({ path, text }) =>
      path.startsWith("assembly/reference/")
        ? []
        : importedModules(text)
            .filter(({ specifier }) => specifier.includes("reference/"))
            .map(({ specifier }) => `${path} imports ${specifier}`),
    );
  });
});

describe("sizes", () => {
  test(`no file above ${FILE_LINES_MAX} lines`, () => {
    expectNone(everything, ({ path, text }) => {
      const lines = text.trimEnd().split("\n").length;
      return lines > FILE_LINES_MAX ? [`${path} has ${lines}`] : [];
    });
  });

  test(`no line above ${LINE_LENGTH_MAX} characters`, () => {
    const sources = [...everything, ...others].filter(({ path }) => !GENERATED.includes(path));
    expectNone(sources, ({ path, text }) =>
      text.split("\n").flatMap((line, i) => ([...line].length > LINE_LENGTH_MAX ? [`${path}:${i + 1}`] : [])),
    );
  });

  // Suites in tests are functions that hold other functions; their length says nothing.
  test(`no function above ${FUNCTION_LINES_MAX} lines`, () => {
    expectNone([...src, ...shippedAssembly, ...scripts, ...benchmarks], ({ path, text }) =>
      functionSpans(text)
        .filter(({ lines }) => lines > FUNCTION_LINES_MAX)
        .map(({ line, lines }) => `${path}:${line} has ${lines}`),
    );
  });
});

describe("words", () => {
  test("no `any`, no compiler directives, no console outside the command line", () => {
    expectWords(src, /(?<![\w.$])any(?![\w$])/g);
    expectRaw([...src, ...assembly], /@ts-(?:ignore|nocheck|expect-error)/g);
    expectWords(
      src.filter(({ path }) => !path.startsWith("src/cli/")),
      /(?<![\w.$])console\b/g,
    );
  });

  test("no test for the runtime outside the platform, which describes its differences", () => {
    expectRaw(
      src.filter(({ path }) => !path.startsWith("src/platform/")),
      /\buserAgent\b|"(?:Deno|Bun|process)" in\b|\bprocess\??\.versions?\b|\bplatform\.name [!=]==/g,
    );
  });

  test("no enum, namespace or parameter property: the sources erase to JavaScript", () => {
    const sources = [...src, ...tests, ...benchmarks].filter(({ path }) => !path.endsWith(".d.ts"));
    expectWords(sources, /(?<=^|\n)\s*(?:export\s+)?(?:declare\s+)?(?:const\s+)?(?:enum|namespace)\s+\w/g);
    expectWords(src, /\bconstructor\s*\((?:[^)]*,)?\s*(?:private|public|protected|readonly)\s/g);
  });

  test("decorators in assembly only on classes: TypeScript linters cannot read them on functions", () => {
    expectWords(assembly, /(?<=^|\n)\s*@(?!unmanaged\s+export class )\w+/g);
  });

  test("only assembly/simd.ts names variant-specific instructions; no relaxed float instruction anywhere", () => {
    const others = shippedAssembly.filter(({ path }) => path !== "assembly/simd.ts");
    expectWords(others, /\.relaxed_\w+|ASC_FEATURE_RELAXED_SIMD/g);
    expectWords(shippedAssembly, /\.relaxed_(?:madd|nmadd|min|max|trunc\w*)\b/g);
  });

  test("no inexact maths where bits must agree between engines", () => {
    const exact = src.filter(({ path }) => /^src\/(?:generate\/|model\b|kernels\/)/.test(path));
    expectWords(exact, INEXACT_MATH);
    // `**` is Math.pow; between two literal integers it is folded exactly. A chat template may use Jinja's own.
    expectWords(
      exact.filter(({ path }) => !path.startsWith("src/generate/jinja/")),
      /(?<!\b\d+n?\s*)\*\*|\*\*(?!\s*\d+n?\b)/g,
    );
  });

  test("no unfinished work, no trace of how it was made", () => {
    expectRaw(
      everything,
      new RegExp(["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"].map((word) => `\\b${word}\\b`).join("|"), "g"),
    );
    const traces = new RegExp(
      ["(?<![\\w.~-])/wo" + "rk/", "\\bissue\\s+#?\\d+", "(?:^|\\s)#\\d+\\b", "/tmp/br" + "ief"].join("|"),
      "gi",
    );
    expectRaw([...everything, ...documents()], traces);
  });
});

describe("files", () => {
  test("have names in kebab-case that say one idea", () => {
    expectNone(everything, ({ path }) => {
      const name = basename(path).replace(/\.(?:spec|test|workerd|d)?\.?(?:ts|mjs)$/, "");
      return /^[a-z0-9]+(?:[-.][a-z0-9]+)*$/.test(name) && !/^(?:utils?|helpers?|misc|common)$/.test(name)
        ? []
        : [path];
    });
  });

  test("open with a comment that says what they are", () => {
    expectNone([...src, ...shippedAssembly, ...scripts, ...benchmarks], ({ path, text }) =>
      /^(?:#!.*\n)?(?:\/\*\*|\/\/ )/.test(text) ? [] : [path],
    );
  });

  test("do nothing on import and keep no changing state, in src", () => {
    const pagePrograms = ["main", "page-worker", "service-worker", "single-file"].map(
      (name) => `src/web/page/${name}.ts`,
    );
    const programs = ["src/cli/main.ts", "src/web/worker-main.ts", ...pagePrograms];
    expectNone(
      src.filter(({ path }) => !programs.includes(path)),
      ({ path, text }) => topLevelEffects(text).map((line) => `${path}:${line}`),
    );
  });
});

function sourcesBelow(folder: string, ending = /\.(?:ts|mjs)$/): Source[] {
  if (!existsSync(folder)) return [];
  const skipped = new Set(["node_modules", "build", "dist"]);
  const found: Source[] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && !skipped.has(entry.name)) found.push(...sourcesBelow(path, ending));
    if (!entry.isFile() || !ending.test(entry.name)) continue;
    const text = readFileSync(path, "utf8");
    found.push({ path, text, code: path.endsWith(".css") ? "" : blankNonCode(text) });
  }
  return found;
}

function documents(): Source[] {
  const names = ["README.md", "CHANGELOG.md", "SECURITY.md", "package.json", ".ci/run"].filter((name) =>
    existsSync(name),
  );
  return names.map((path) => ({ path, text: readFileSync(path, "utf8"), code: "" }));
}

/** `src/files/gguf.ts` → `files`; `src/index.ts` → `index.ts`. */
function layerOf(path: string): string {
  return path.split("/")[1];
}

function relativeImports(path: string, text: string): { target: string }[] {
  return importedModules(text)
    .filter(({ specifier }) => specifier.startsWith("."))
    .map(({ specifier }) => ({ target: join(dirname(path), specifier) }));
}

function cycles(sources: readonly Source[]): string[] {
  const edges = new Map(
    sources.map(({ path, text }) => [path, relativeImports(path, text).map(({ target }) => withExtension(target))]),
  );
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) found.push([...trail.slice(at), path].join(" → "));
    if (at >= 0 || done.has(path)) return;
    for (const target of edges.get(path) ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of edges.keys()) visit(path, []);
  return found;
}

/** AssemblyScript imports name no extension. */
function withExtension(target: string): string {
  return target.endsWith(".ts") ? target : `${target}.ts`;
}

function expectNone(sources: readonly Source[], offencesOf: (source: Source) => readonly string[]): void {
  assert.ok(sources.length > 0, "nothing to look at");
  assert.deepEqual(sources.flatMap(offencesOf), []);
}

function expectWords(sources: readonly Source[], pattern: RegExp): void {
  expectNone(sources, ({ path, code }) => matchesOf(path, code, pattern));
}

function expectRaw(sources: readonly Source[], pattern: RegExp): void {
  expectNone(sources, ({ path, text }) => matchesOf(path, text, pattern));
}

function matchesOf(path: string, text: string, pattern: RegExp): string[] {
  const lineOf = (offset: number): number => text.slice(0, offset).split("\n").length;
  return [...text.matchAll(pattern)].map((match) => `${path}:${lineOf(match.index)} ${match[0].trim()}`);
}
