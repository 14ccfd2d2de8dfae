/**
 * The package in browsers: in a page and in a worker of it, isolated and not, under a strict Content-Security-Policy, as
 * raw modules and from each bundler. The answers are the same bits as Node's.
 *
 * ONEBIT_BROWSERS=all runs it: `.ci/run browsers` brings Chromium and Firefox (from Debian) and the bundlers.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { load } from "../../src/index.ts";
import { openTraining } from "../../src/training.ts";
import inTheBox from "../default-model/expected.json" with { type: "json" };
import { BROWSERS, type Browser, type Page, type PageResult, runPages } from "./browser.ts";
import { type InstalledPackage, installPackage, publishedHashes } from "./installed-package.ts";
import type { PolicyReport } from "./pages/policy-page.ts";
import { type SuiteReport, runSuite } from "./suite.ts";
import { recordRow } from "./table.ts";
import { VanishingServer } from "./vanishing-server.ts";

// The package is installed from dist/ as it was built.
const RUN_TIMEOUT_MS = 180_000;
const skip = process.env.ONEBIT_BROWSERS === "all" ? false : "runs in .ci/run browsers";

const ISOLATED = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };
const STRICT = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'";
const ONE_FOR_ALL = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; connect-src 'self'";
const NO_WASM = "default-src 'none'; script-src 'self'; connect-src 'self'";

/** A policy that lets no page reach another origin lets none fetch a model. */
const NOT_ASKED = "not asked";

const PAGES: readonly Page[] = [
  { name: "page", script: "page.js", headers: { ...ISOLATED, "content-security-policy": ONE_FOR_ALL } },
  { name: "worker", script: "worker.js", headers: { ...ISOLATED, "content-security-policy": ONE_FOR_ALL } },
  { name: "offline", script: "offline-page.js", headers: ISOLATED },
  { name: "without isolation", script: "quick.js", headers: {} },
  { name: "strict policy", script: "policy.js", headers: { ...ISOLATED, "content-security-policy": STRICT } },
  { name: "policy without WebAssembly", script: "no-wasm.js", headers: { "content-security-policy": NO_WASM } },
  { name: "esbuild", script: "bundled/esbuild/app.js", headers: ISOLATED },
  { name: "vite", script: "bundled/vite/app.js", headers: ISOLATED },
  { name: "examples/vite", script: "example-driver.js", html: "bundled/page/index.html", headers: ISOLATED },
  { name: "webpack", script: "bundled/webpack/app.js", isClassic: true, headers: ISOLATED },
];

/** What the small pages report. */
interface QuickReport {
  readonly page: { readonly engine: SuiteReport["engine"]; readonly ids: readonly number[] };
  readonly worker: { readonly engine: SuiteReport["engine"]; readonly ids: readonly number[] };
}

/** How the check of offline.ts ended, by the place where the model was kept, and who asked. */
interface OfflineReport {
  readonly pageFiles: string;
  readonly pageCache: string;
  readonly workerFiles: string;
}

/** The page of examples/vite: what it wrote, how many characters were there when it was stopped, and some time later. */
interface ExampleReport {
  readonly text: string;
  readonly atStop: number;
  readonly later: number;
  readonly status: string;
}

const PROMPT = [1, 2, 3];
const QUICK_OPTIONS = { maxTokens: 16, temperature: 0, ignoreEnd: true } as const;

describe("browsers", { skip }, () => {
  let installed: InstalledPackage, expected: SuiteReport["models"], quickIds: readonly number[], server: VanishingServer;

  before(async () => {
    installed = await installPackage("browsers", ["tests/runtime/pages/suite-page.ts", "tests/runtime/pages/policy-page.ts", "tests/runtime/offline.ts"]);
    server = await VanishingServer.start(new Uint8Array(readFileSync(join(installed.folder, "models", `${installed.models[0]}.gguf`))));
    writePages(installed, server);
    bundle(installed.folder);
    const files = Object.fromEntries(installed.models.map((name) => [name, new Uint8Array(readFileSync(join(installed.folder, "models", `${name}.gguf`)))]));
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
    describe(browser.name, () => {
      let results: Map<string, PageResult>;
      const reportOf = <Report>(page: string): Report => {
        const result = results.get(page)!;
        if ("error" in result) assert.fail(`${page}: ${result.error}`);
        return result.report as Report;
      };

      const offlineCell = (places: Readonly<Record<string, keyof OfflineReport>>): string =>
        Object.entries(places).map(([place, name]) => (reportOf<OfflineReport>("offline")[name] === "ok" ? place : `NO ${place}`)).join(", ");

      test("shows every page", async () => {
        results = await runPages(browser, installed.folder, PAGES, RUN_TIMEOUT_MS);
        assert.deepEqual([...results.keys()], PAGES.map(({ name }) => name));
      });

      test("page: one thread, and why", () => {
        checkSuite(reportOf<SuiteReport>("page"), `${nameOf(browser)}, page`, offlineCell({ "private files": "pageFiles", Cache: "pageCache" }));
        assert.match(reportOf<SuiteReport>("page").engine.reason ?? "", /main thread may not wait.*onebit\/worker/);
      });

      test("worker: threads, a page that stays free, a death that is noticed", () => {
        const report = reportOf<SuiteReport>("worker");
        checkSuite(report, `${nameOf(browser)}, worker`, offlineCell({ "private files": "workerFiles" }));
        assert.equal(report.engine.reason, undefined);
        assert.ok(report.engine.threads > 1, `${report.engine.threads} threads`);
      });

      test("offline: a model that was fetched once, from private files and from a cache", () => {
        assert.deepEqual(reportOf<OfflineReport>("offline"), { pageFiles: "ok", pageCache: "ok", workerFiles: "ok" });
      });

      test("without isolation: one thread, and why", () => {
        const { page, worker } = reportOf<QuickReport>("without isolation");
        for (const { engine, ids } of [page, worker]) {
          assert.deepEqual(ids, quickIds);
          assert.match(engine.reason ?? "", /not cross-origin isolated.*Cross-Origin-Opener-Policy/);
        }
      });

      test("strict policy: a worker of one's own, one thread, and why", () => {
        const { page, worker, refusals } = reportOf<PolicyReport>("strict policy");
        checkSuite(page, `${nameOf(browser)}, strict CSP, page`, NOT_ASKED);
        checkSuite(worker, `${nameOf(browser)}, strict CSP, own worker`, NOT_ASKED);
        assert.match(worker.engine.reason ?? "", /worker-src blob:/);
        for (const message of refusals) assert.match(message, /worker-src blob:/);
      });

      test("policy without WebAssembly: a typed error", () => {
        assert.match(reportOf<string>("policy without WebAssembly"), /wasm-unsafe-eval/);
      });

      test("examples/vite: writes, and stops", () => {
        const { text, atStop, later, status } = reportOf<ExampleReport>("examples/vite");
        assert.ok(text.startsWith(inTheBox.generation.prompt + new TextDecoder().decode(Uint8Array.from(inTheBox.generation.ids))), text);
        assert.ok(later === atStop && atStop < 506, `${atStop} characters when it was stopped, then ${later}`);
        assert.match(status, /^Ready, on one thread/);
      });

      for (const bundler of ["esbuild", "vite", "webpack"]) {
        test(`bundled by ${bundler}`, () => {
          const { page, worker } = reportOf<QuickReport>(bundler);
          assert.deepEqual([page.ids, worker.ids], [quickIds, quickIds]);
          assert.ok(worker.engine.threads > 1, worker.engine.reason);
        });
      }
    });
  }

  function checkSuite({ models, checks, engine }: SuiteReport, row: string, offline: string): void {
    recordRow(row, { models, checks, engine }, offline);
    for (const [name, found] of Object.entries(checks)) assert.equal(found, "ok", name);
    for (const [name, logits] of publishedHashes(installed)) assert.equal(models[name].logits, logits, name);
    assert.deepEqual(models, expected);
    assert.equal(engine.variant, "relaxed");
  }
});

function nameOf({ name, binary }: Browser): string {
  return `${name} ${execFileSync(binary, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).match(/\d+/)?.[0]}`;
}

/** Raw modules: what a page without a bundler has. The bundled application imports the package by its name. */
function writePages({ folder, models }: InstalledPackage, server: VanishingServer): void {
  const names = JSON.stringify(models), dist = "/node_modules/onebit/dist";
  const offline = `import { load } from "${dist}/index.js"; import { platformWithHub, pull, remove } from "${dist}/hub.js"; import { offlineOutcome } from "/offline.js";
    const parts = { load, platformWithHub, pull, remove }, newUrl = () => "${server.origin}/" + Math.random() + "/model.gguf";`;
  const importBoth = `import { load } from "${dist}/index.js"; import { loadInWorker } from "${dist}/worker.js"; import { openTraining } from "${dist}/train.js";`;
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
    "page.js": `${importBoth} import { inPage } from "/suite-page.js"; globalThis.runPage = () => inPage(load, openTraining, ${names});`,
    "worker.js": `${importBoth} import { inWorker } from "/suite-page.js"; globalThis.runPage = () => inWorker(loadInWorker, openTraining, ${newWorker}, ${names});`,
    "policy.js": `${importBoth} import { underPolicy } from "/policy-page.js"; globalThis.runPage = () => underPolicy(load, openTraining, loadInWorker, ${newWorker}, ${names});`,
    "offline-page.js": `${offline} globalThis.runPage = async () => {
      const pageFiles = await offlineOutcome(parts, newUrl());
      const worker = new Worker("/offline-worker.js", { type: "module" });
      const workerFiles = await new Promise((resolve) => (worker.onmessage = ({ data }) => resolve(data)));
      // As in a browser that has none.
      Object.defineProperty(navigator.storage, "getDirectory", { value: undefined });
      return { pageFiles, workerFiles, pageCache: await offlineOutcome(parts, newUrl()) };
    };`,
    "offline-worker.js": `${offline} postMessage(await offlineOutcome(parts, newUrl()));`,
    "example-driver.js": `globalThis.runPage = async () => {
      const output = document.querySelector("output"), status = document.querySelector("#status"), [go, stop] = document.querySelectorAll("button");
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
      if (!error.startsWith("engine/unsupported ")) throw new Error(error);
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
  execFileSync(process.execPath, [join(bundlers, "bundle.mjs"), join(folder, "app.js"), join(folder, "bundled"), join(folder, "vite-example")], { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
}
