/**
 * The package in browsers: in a page and in a worker of it, isolated and not, under a strict Content-Security-Policy,
 * as raw modules and from each bundler. The answers are the same bits as Node's.
 *
 * ONEBIT_MIXED_S: seconds that calls of every kind are mixed in the worker of a page (mixed-calls.ts).
 * ONEBIT_BROWSERS=all runs it: `.ci/run browsers` brings Chromium, Firefox and WebKit (from Debian) and the bundlers.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { load } from "../../src/index.ts";
import { openTraining } from "../../src/train.ts";
import inTheBox from "../default-model/expected.json" with { type: "json" };
import { type Page, type PageResult, runPages } from "./browser.ts";
import { BROWSERS, type Expected } from "./browser-kinds.ts";
import { nameOf } from "./browser-process.ts";
import { type InstalledPackage, installPackage, publishedHashes } from "./installed-package.ts";
import type { PolicyReport } from "./pages/policy-page.ts";
import { type SuiteReport, runSuite } from "./suite.ts";
import { recordRow } from "./table.ts";
import { VanishingServer } from "./vanishing-server.ts";

// The package is installed from dist/ as it was built.
const MIXED_MS = Number(process.env.ONEBIT_MIXED_S ?? 8) * 1000;
const RUN_TIMEOUT_MS = 180_000 + MIXED_MS;
const skip = process.env.ONEBIT_BROWSERS === "all" ? false : "runs in .ci/run browsers";

const ISOLATED = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };
const STRICT = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'";
const ONE_FOR_ALL =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; connect-src 'self'";
const NO_WASM = "default-src 'none'; script-src 'self'; connect-src 'self'";

/** A policy that lets no page reach another origin lets none fetch a model. */
const NOT_ASKED = "not asked";

const PAGES: readonly Page[] = [
  { name: "page", script: "page.js", headers: { ...ISOLATED, "content-security-policy": ONE_FOR_ALL } },
  { name: "worker", script: "worker.js", headers: { ...ISOLATED, "content-security-policy": ONE_FOR_ALL } },
  { name: "mixed calls", script: "mixed-page.js", headers: ISOLATED, extraMs: MIXED_MS },
  { name: "offline", script: "offline-page.js", headers: ISOLATED },
  { name: "without isolation", script: "quick.js", headers: {} },
  { name: "strict policy", script: "policy.js", headers: { ...ISOLATED, "content-security-policy": STRICT } },
  { name: "policy without WebAssembly", script: "no-wasm.js", headers: { "content-security-policy": NO_WASM } },
  { name: "esbuild", script: "bundled/esbuild/app.js", headers: ISOLATED },
  { name: "vite", script: "bundled/vite/app.js", headers: ISOLATED },
  { name: "examples/vite", script: "example-driver.js", html: "bundled/page/index.html", headers: ISOLATED },
  { name: "webpack", script: "bundled/webpack/app.js", isClassic: true, headers: ISOLATED },
];

/** A policy changes where code may come from, not what it computes: one model shows that, in a third of the time. */
const N_UNDER_POLICY = 1;

/** What the small pages report. */
interface QuickReport {
  readonly page: { readonly engine: SuiteReport["engine"]; readonly ids: readonly number[] };
  readonly worker: { readonly engine: SuiteReport["engine"]; readonly ids: readonly number[] };
}

/** Where a model from elsewhere is kept, and how the check of offline.ts ended, by who asked. */
interface OfflineReport {
  readonly keptIn: Expected["keptIn"];
  readonly page: string;
  readonly worker: string;
  /** In a Cache, wherever the others were. */
  readonly pageWithoutFiles: string;
}

/** How often each kind of call was made, and what the ends of a paused generation took. */
interface MixedReport {
  readonly counts: Readonly<Record<string, number>>;
  readonly abortMs: number;
  readonly closeMs: number;
  readonly stopReasons: readonly string[];
}

/**
 * The page of examples/vite: what it wrote, how many characters were there when it was stopped, and some time later.
 */
interface ExampleReport {
  readonly text: string;
  readonly atStop: number;
  readonly later: number;
  readonly status: string;
}

const PROMPT = [1, 2, 3];
const QUICK_OPTIONS = { maxTokens: 16, temperature: 0, ignoreEnd: true } as const;

describe("browsers", { skip }, () => {
  let installed: InstalledPackage,
    expected: SuiteReport["models"],
    quickIds: readonly number[],
    server: VanishingServer;

  before(async () => {
    installed = await installPackage("browsers", [
      "tests/runtime/pages/suite-page.ts",
      "tests/runtime/pages/policy-page.ts",
      "tests/runtime/offline.ts",
      "tests/runtime/mixed-calls.ts",
    ]);
    server = await VanishingServer.start(
      new Uint8Array(readFileSync(join(installed.folder, "models", `${installed.models[0]}.gguf`))),
    );
    writePages(installed, server);
    bundle(installed.folder);
    const files = Object.fromEntries(
      installed.models.map((name) => [
        name,
        new Uint8Array(readFileSync(join(installed.folder, "models", `${name}.gguf`))),
      ]),
    );
    expected = (await runSuite({ open: load, openTraining, files })).models;
    const model = await load(files[installed.models[0]]);
    quickIds = (await model.generate(PROMPT, QUICK_OPTIONS).result()).ids;
    await model.close();
  });
  after(async () => {
    await server?.stop();
    rmSync(installed.folder, { recursive: true, force: true });
  });

  for (const browser of BROWSERS) {
    describe(nameOf(browser), () => {
      const { variant, oneThread, threadsByNumber, keptIn } = browser.expected;
      let results: Map<string, PageResult>, name: string;
      const reportOf = <Report>(page: string): Report => {
        const result = results.get(page)!;
        if ("error" in result) assert.fail(`${page}: ${result.error}`);
        return result.report as Report;
      };

      const offlineCell = (asking: Readonly<Record<string, string>>): string =>
        Object.entries(asking)
          .map(([place, found]) => (found === "ok" ? place : `NO ${place}`))
          .join(", ");

      const checkSuite = (
        { models, checks, engine }: SuiteReport,
        row: string,
        offline: string,
        asked: readonly string[] = installed.models,
      ): void => {
        recordRow(`${name}, ${row}`, { models, checks, engine }, offline);
        for (const [check, found] of Object.entries(checks)) assert.equal(found, "ok", check);
        for (const [model, logits] of publishedHashes(installed))
          if (asked.includes(model)) assert.equal(models[model].logits, logits, model);
        assert.deepEqual(models, Object.fromEntries(asked.map((model) => [model, expected[model]])));
        assert.equal(engine.variant, variant);
      };

      test("shows every page", async () => {
        const { version, ...found } = await runPages(browser, installed.folder, PAGES, RUN_TIMEOUT_MS);
        name = nameOf(browser, version);
        results = found.results;
        assert.deepEqual(
          [...results.keys()],
          PAGES.map((page) => page.name),
        );
      });

      test("page: one thread, and why", () => {
        const report = reportOf<SuiteReport>("page"),
          { page, pageWithoutFiles } = reportOf<OfflineReport>("offline");
        checkSuite(report, "page", offlineCell({ [keptIn]: page, Cache: pageWithoutFiles }));
        checkThreads(report.engine, oneThread.page);
      });

      test("worker: threads or why not, a page that stays free, a death that is noticed", () => {
        const report = reportOf<SuiteReport>("worker");
        checkSuite(report, "worker", offlineCell({ [keptIn]: reportOf<OfflineReport>("offline").worker }));
        checkThreads(report.engine, oneThread.worker);
      });

      test("offline: a model that was fetched once, from private files where there are any, and from a cache", () => {
        assert.deepEqual(reportOf<OfflineReport>("offline"), {
          keptIn,
          page: "ok",
          worker: "ok",
          pageWithoutFiles: "ok",
        });
      });

      test("calls of every kind, mixed: each answer the one given alone; a paused one ends when it is told to", (t) => {
        const { counts, abortMs, closeMs, stopReasons } = reportOf<MixedReport>("mixed calls");
        t.diagnostic(
          `a paused generation: abort ${abortMs.toFixed(1)} ms, close ${closeMs.toFixed(1)} ` +
            `ms; ${JSON.stringify(counts)}`,
        );
        assert.deepEqual(stopReasons, ["aborted", "aborted"]);
        assert.ok(Object.values(counts).reduce((sum, n) => sum + n, 0) > 20, JSON.stringify(counts));
      });

      test("without isolation: one thread, and why", () => {
        const { page, worker } = reportOf<QuickReport>("without isolation");
        for (const { engine, ids } of [page, worker]) {
          assert.deepEqual(ids, quickIds);
          checkThreads(engine, /not cross-origin isolated.*Cross-Origin-Opener-Policy/);
        }
      });

      test("strict policy: a worker of one's own, one thread, and why", () => {
        const { page, worker, refused, threadsByNumber: threads } = reportOf<PolicyReport>("strict policy");
        const asked = installed.models.slice(0, N_UNDER_POLICY);
        checkSuite(page, "strict CSP, page", NOT_ASKED, asked);
        checkSuite(worker, "strict CSP, own worker", NOT_ASKED, asked);
        checkThreads(worker.engine, oneThread.workerUnderPolicy);
        assert.match(refused, /worker-src blob:/);
        assert.match(threads, threadsByNumber);
      });

      test("policy without WebAssembly: a typed error", () => {
        assert.match(reportOf<string>("policy without WebAssembly"), /wasm-unsafe-eval/);
      });

      test("examples/vite: writes, and stops", () => {
        const { text, atStop, later, status } = reportOf<ExampleReport>("examples/vite");
        assert.ok(
          text.startsWith(
            inTheBox.generation.prompt + new TextDecoder().decode(Uint8Array.from(inTheBox.generation.ids)),
          ),
          text,
        );
        assert.ok(later === atStop && atStop < 506, `${atStop} characters when it was stopped, then ${later}`);
        assert.match(status, /^Ready, on one thread/);
      });

      for (const bundler of ["esbuild", "vite", "webpack"]) {
        test(`bundled by ${bundler}`, () => {
          const { page, worker } = reportOf<QuickReport>(bundler);
          assert.deepEqual([page.ids, worker.ids], [quickIds, quickIds]);
          checkThreads(worker.engine, oneThread.worker);
        });
      }
    });
  }
});

/** Several where no reason for one is expected. */
function checkThreads({ threads, reason }: SuiteReport["engine"], why: RegExp | undefined): void {
  if (why === undefined) assert.ok(threads > 1 && reason === undefined, `${threads} threads: ${reason}`);
  else assert.ok(threads === 1 && why.test(reason ?? ""), `${threads} threads: ${reason}`);
}

/** Raw modules: what a page without a bundler has. The bundled application imports the package by its name. */
function writePages({ folder, models }: InstalledPackage, server: VanishingServer): void {
  const names = JSON.stringify(models),
    dist = "/node_modules/onebit/dist";
  const offline = `import { load } from "${dist}/index.js";
    import { platformWithHub, pull, remove } from "${dist}/hub.js";
    import { offlineOutcome } from "/offline.js";
    const parts = { load, platformWithHub, pull, remove };
    const newUrl = () => "${server.origin}/" + Math.random() + "/model.gguf";`;
  const importBoth =
    `import { load } from "${dist}/index.js"; import { loadInWorker } from "${dist}/worker.js"; import { ` +
    `openTraining } from "${dist}/train.js";`;
  const newWorker = `() => new Worker("/model-worker.js", { type: "module" })`;
  const quick = `globalThis.runPage = async () => {
      const bytes = new Uint8Array(await (await fetch("/models/${models[0]}.gguf")).arrayBuffer());
      const run = async (model) => {
        const { ids } = await model.generate(${JSON.stringify(PROMPT)}, ${JSON.stringify(QUICK_OPTIONS)}).result();
        await model.close();
        return { engine: model.engine, ids };
      };
      return { page: await run(await load(bytes)), worker: await run(await loadInWorker(bytes)) };
    };`;
  const scripts: Record<string, string> = {
    "model-worker.js": `import { serve } from "${dist}/worker-host.js"; serve();`,
    "page.js":
      `${importBoth} import { inPage } from "/suite-page.js"; globalThis.runPage = () => inPage(load, ` +
      `openTraining, ${names});`,
    "worker.js":
      `${importBoth} import { inWorker } from "/suite-page.js"; globalThis.runPage = () => inWorker(loadInWorker, ` +
      `openTraining, ${newWorker}, ${names});`,
    "policy.js":
      `${importBoth} import { underPolicy } from "/policy-page.js"; globalThis.runPage = () => underPolicy(load, ` +
      `openTraining, loadInWorker, ${newWorker}, ${JSON.stringify(models.slice(0, N_UNDER_POLICY))});`,
    "mixed-page.js": `${importBoth} import { mixCalls } from "/mixed-calls.js"; globalThis.runPage = async () => {
      const open = () => loadInWorker(), alone = await open(), model = await open();
      const counts = await mixCalls({ open, alone, seed: 1, durationMs: ${MIXED_MS} });
      const stopReasons = [], abort = new AbortController();
      await alone.close();
      const timeOfEnd = async (end, signal) => {
        const generation = model.generate("ROMEO:", { maxTokens: 400, seed: 1, signal });
        await generation[Symbol.asyncIterator]().next();
        await new Promise((resolve) => setTimeout(resolve, 200));
        const begin = performance.now(), [{ stopReason }] = await Promise.all([generation.result(), end()]);
        stopReasons.push(stopReason);
        return performance.now() - begin;
      };
      const abortMs = await timeOfEnd(async () => abort.abort(), abort.signal);
      const closeMs = await timeOfEnd(() => model.close());
      return { counts, abortMs, closeMs, stopReasons };
    };`,
    "offline-page.js": `${offline} globalThis.runPage = async () => {
      const keptIn = navigator.storage?.getDirectory === undefined ? "Cache" : "private files";
      const page = await offlineOutcome(parts, newUrl());
      const asked = new Worker("/offline-worker.js", { type: "module" });
      const worker = await new Promise((resolve) => (asked.onmessage = ({ data }) => resolve(data)));
      // As in a browser that has none.
      Object.defineProperty(navigator.storage ?? {}, "getDirectory", { value: undefined });
      return { keptIn, page, worker, pageWithoutFiles: await offlineOutcome(parts, newUrl()) };
    };`,
    "offline-worker.js": `${offline} postMessage(await offlineOutcome(parts, newUrl()));`,
    "example-driver.js": `globalThis.runPage = async () => {
      const output = document.querySelector("output"), status = document.querySelector("#status");
      const [go, stop] = document.querySelectorAll("button");
      const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
      while (!status.textContent.startsWith("Ready")) await pause(20);
      go.click();
      while (output.textContent.length < 506) await pause(20);
      const text = output.textContent;
      go.click();
      while (output.textContent.length < 20 || output.textContent.length > 500) await pause(1);
      stop.click();
      await pause(100);
      const atStop = output.textContent.length;
      await pause(300);
      return { text, atStop, later: output.textContent.length, status: status.textContent };
    };`,
    "no-wasm.js": `${importBoth} globalThis.runPage = async () => {
      const bytes = new Uint8Array(await (await fetch("/models/${models[0]}.gguf")).arrayBuffer());
      const error = await load(bytes).then(() => "no error", (error) => error.code + " " + error.message);
      if (!error.startsWith("engine/forbidden ")) throw new Error(error);
      return error;
    };`,
    "quick.js": `${importBoth} ${quick}`,
    "app.js": `import { load } from "onebit"; import { loadInWorker } from "onebit/worker"; ${quick}`,
  };
  for (const [name, text] of Object.entries(scripts)) writeFileSync(join(folder, name), text);
}

function bundle(folder: string): void {
  const bundlers = resolve("tests/runtime/bundlers");
  assert.ok(existsSync(join(bundlers, "node_modules")), "the bundlers are not installed: run .ci/run browsers");
  cpSync("examples/vite", join(folder, "vite-example"), { recursive: true });
  execFileSync(
    process.execPath,
    [join(bundlers, "bundle.mjs"), join(folder, "app.js"), join(folder, "bundled"), join(folder, "vite-example")],
    { cwd: folder, stdio: ["ignore", "ignore", "inherit"] },
  );
}
