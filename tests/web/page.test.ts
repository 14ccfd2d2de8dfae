/**
 * The chat page as people use it, in Chromium and Firefox: read, typed, stopped, reloaded without a server, given wrong
 * files, refused room; by keyboard alone; looked over by axe-core. Screenshots go to build/page-screenshots.
 *
 * ONEBIT_BROWSERS=all runs it: `.ci/run browsers` brings the browsers and what drives them. It reads dist/ as it was
 * built.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { syntheticModel } from "../../benchmarks/synthetic/model.ts";
import type { Shape } from "../../benchmarks/synthetic/shapes.ts";
import { writeModelFile } from "../../benchmarks/synthetic/write-file.ts";
import {
  WAIT_MS,
  clickAction,
  clickButton,
  closeDialog,
  download,
  drop,
  focused,
  hasEnded,
  hasModel,
  isReady,
  isTaken,
  openDialog,
  say,
  says,
  setRange,
  tabTo,
  textOf,
  turns,
  until,
} from "./page-acts.ts";
import {
  BROWSER_NAMES,
  type DrivenBrowser,
  type DrivenPage,
  type ModelServer,
  type PageServer,
  SLOW_DEVICE,
  launch,
  serveModel,
  servePage,
  violations,
} from "./page-driver.ts";
import { Witness } from "./page-witness.ts";
import { writeSinglePage } from "./single-page.ts";

const skip = process.env.ONEBIT_BROWSERS === "all" ? false : "runs in .ci/run browsers";
/** Measured: 0.3 to 0.8 s on two cores that others kept busy. More than this is no wait for the processor. */
const FIRST_TOKEN_MS_MAX = 5_000;
const SCREENSHOTS = "build/page-screenshots";

/** Random weights with a vocabulary and a chat template: it answers nonsense, as a chat model would answer. */
const CHAT_SHAPE: Shape = {
  architecture: "qwen3",
  nEmbd: 256,
  nLayers: 2,
  nHeads: 4,
  nKvHeads: 2,
  headDim: 64,
  nFf: 512,
  nVocab: 640,
  contextLength: 512,
  ropeTheta: 10_000,
  normEps: 1e-6,
  tied: true,
  bodyType: "TQ2_0",
  headType: "F16",
  scalePerTensor: false,
};

/** As GGUF numbers them. */
const TQ2_0 = 35,
  IQ2_XXS = 16;

const PHONE = { width: 390, height: 844, deviceScaleFactor: 2 },
  DESKTOP = { width: 1280, height: 800 };

/** Remembers every worker the page starts, what its policy refuses, and when the first word of an answer is shown. */
const WATCH = `
  window.workers = [];
  window.Worker = class extends Worker { constructor(...args) { super(...args); window.workers.push(this); } };
  window.refusals = [];
  document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => window.refusals.push(violatedDirective + " " + blockedURI));
`;

/** Minutes pass at once, and the ends of workers are counted. */
const HURRY = `${WATCH}
  const later = window.setTimeout;
  window.setTimeout = (run, ms, ...rest) => later(run, ms >= 60_000 ? 20 : ms, ...rest);
  window.nEnded = 0;
  window.Worker = class extends Worker { terminate() { window.nEnded++; super.terminate(); } };
`;
/** As a browser does when a person looks elsewhere, and back. */
const lookedAt = (state: "hidden" | "visible"): string =>
  `Object.defineProperty(document, "visibilityState", { value: "${state}", configurable: true }); ` +
  `document.dispatchEvent(new Event("visibilitychange"))`;

/** Takes the first example as soon as it is offered, and notes when the first word of the answer is shown. */
const BEGIN_AT_ONCE = `
  new MutationObserver(() => {
    const example = document.querySelector("#welcome:not([hidden]) #examples button"), answer = document.querySelector(".assistant .text");
    if (answer?.textContent.length > 0) window.firstTextMs ??= performance.now();
    else if (example && !window.begunMs) (window.begunMs = performance.now(), example.click());
  }).observe(document, { childList: true, subtree: true, characterData: true, attributes: true });
`;

/** Of modelFiles(). */
const UNKNOWN_MODELS: readonly (readonly [what: string, file: string, sentence: RegExp])[] = [
  ["an architecture", "architecture", /does not know this kind of model.*\[model\/unsupported-architecture\]/s],
  ["a type of weights", "type", /weights are of a type that onebit does not run.*\[tensor\/unsupported-type\]/s],
];

for (const name of BROWSER_NAMES) {
  describe(`chat page in ${name}`, { skip }, () => {
    let browser: DrivenBrowser, model: ModelServer;

    before(async () => {
      mkdirSync(SCREENSHOTS, { recursive: true });
      [browser, model] = await Promise.all([launch(name), serveModel(await modelFiles())]);
    });
    after(async () => {
      await browser?.close();
      await model?.stop();
    });

    /** Runs `use` with a page, a server and a storage of their own. */
    async function withPage(
      use: (page: DrivenPage, server: PageServer) => Promise<void>,
      {
        workerPrelude = "",
        isolates = true,
        watch = WATCH,
        url,
        around,
      }: { workerPrelude?: string; isolates?: boolean; watch?: string; url?: string; around?: string } = {},
    ): Promise<void> {
      const server = await servePage(around),
        context = await browser.createBrowserContext(),
        witness = new Witness();
      Object.assign(server, { workerPrelude, isolates });
      try {
        const page = await context.newPage();
        page.setDefaultTimeout(WAIT_MS);
        witness.watch(page);
        await witness.tell(async () => {
          await page.setViewport(PHONE);
          await page.evaluateOnNewDocument(watch);
          await page.goto(url ?? server.url);
          await use(page, server);
          assert.deepEqual([...witness.complaints, ...(await page.evaluate<string[]>("window.refusals ?? []"))], []);
        });
      } finally {
        await context.close();
        await server.stop();
      }
    }

    test("continues a text, by keyboard alone; keeps it across a reload", () =>
      withPage(async (page) => {
        await isReady(page);
        assert.match(await textOf(page, "#welcome"), /does not chat.*goes on with what you write/s);
        await tabTo(page, "prompt");
        await page.keyboard.type("ROMEO:");
        await page.keyboard.press("Enter");
        await isTaken(page);
        await hasEnded(page);
        assert.match(await textOf(page, "#status"), /^256 tokens, [\d.]+ a second · cut at the set length$/);
        const [question, answer] = await turns(page);
        assert.equal(question, "ROMEO:");
        assert.ok(answer.length > 100, answer);
        // Each sentence by itself, so the spaces between them are not there: all of the answer, and how it ended.
        const spoken = (text: string): string => text.replace(/\s+/g, "");
        assert.equal(spoken(await textOf(page, "#announcer")), spoken(answer + (await textOf(page, "#status"))));
        await page.reload();
        await isReady(page);
        assert.deepEqual(await turns(page), [question, answer]);
      }));

    test("stops, goes on, answers again, takes an edit, begins anew", () =>
      withPage(
        async (page) => {
          await isReady(page);
          await setRange(page, "maxTokens", 2048);
          await say(page, "JULIET:");
          await until(
            page,
            `document.querySelector(".assistant .text")?.textContent.length > 5 && ` +
              `(document.querySelector("#stop").click(), true)`,
          );
          await hasEnded(page);
          assert.match(await textOf(page, "#status"), /stopped$/);
          const [, stopped] = await turns(page);
          await setRange(page, "maxTokens", 16);
          await clickAction(page, "Go on");
          await hasEnded(page);
          const [, further] = await turns(page);
          assert.ok(further.startsWith(stopped) && further.length > stopped.length);
          await clickAction(page, "Another answer");
          await hasEnded(page);
          assert.ok((await turns(page))[1].length <= 16);
          assert.equal(
            await page.evaluate(
              `document.querySelector(".assistant:last-child .actions").contains(document.activeElement)`,
            ),
            true,
            "the focus is lost",
          );
          await clickAction(page, "Edit");
          assert.equal(await page.evaluate<string>("document.activeElement.tagName"), "TEXTAREA");
          await page.keyboard.type(" O");
          await page.keyboard.press("Enter");
          await until(page, `document.querySelector(".turn .text")?.textContent === "JULIET: O"`);
          await hasEnded(page);
          await page.click("#new-conversation");
          await until(page, `document.querySelector(".turn") === null`);
          assert.equal(await focused(page), "prompt");
        },
        { workerPrelude: SLOW_DEVICE },
      ));

    test("an answer that a reload cuts short is kept as far as it was", () =>
      withPage(
        async (page) => {
          await isReady(page);
          await setRange(page, "maxTokens", 2048);
          await say(page, "IAGO:");
          await until(
            page,
            `document.querySelector(".assistant .text")?.textContent.length > 5 && (window.left = true, ` +
              "location.reload(), true)",
          );
          await until(page, "window.left === undefined");
          await isReady(page);
          const [question, answer] = await turns(page);
          assert.equal(question, "IAGO:");
          assert.ok(answer.length > 5 && answer.length < 480, answer);
        },
        { workerPrelude: SLOW_DEVICE },
      ));

    test("the same seed gives the same answer", () =>
      withPage(async (page) => {
        await isReady(page);
        await openDialog(page, "settings");
        await page.type("#seed", "7");
        await closeDialog(page);
        await say(page, "HAMLET:");
        await hasEnded(page);
        const first = await turns(page);
        await clickAction(page, "Another answer");
        await hasEnded(page);
        assert.deepEqual(await turns(page), first);
      }));

    test("works with the server gone: reloads, and continues a text", (t) =>
      withPage(async (page, server) => {
        await isReady(page);
        await until(page, "navigator.serviceWorker.controller !== null");
        await server.stop();
        await page.evaluateOnNewDocument(BEGIN_AT_ONCE);
        await page.reload();
        await until(page, "window.firstTextMs !== undefined");
        const firstTokenMs = await page.evaluate<number>("firstTextMs");
        await hasEnded(page);
        assert.ok((await turns(page))[1].length > 10);
        t.diagnostic(`offline, from the reload: first token after ${Math.round(firstTokenMs)} ms`);
        assert.ok(firstTokenMs <= FIRST_TOKEN_MS_MAX, `${firstTokenMs} ms`);
      }));

    test("a host that sends no headers: one thread and why; isolated by the service worker from the second load on", () =>
      withPage(
        async (page) => {
          await isReady(page);
          assert.equal(await page.evaluate("crossOriginIsolated"), false);
          await drop(page, model.url.replace("tiny", "chat"), "chat.gguf");
          await hasModel(page, "chat.gguf");
          await openDialog(page, "settings");
          assert.match(await textOf(page, "#engine-facts"), /Threads1: .*not cross-origin isolated/);
          await until(page, "navigator.serviceWorker.controller !== null");
          await page.reload();
          await isReady(page);
          assert.equal(await page.evaluate("crossOriginIsolated"), true);
        },
        { isolates: false },
      ));

    test("downloads a model, pauses, goes on, uses it, knows it after a reload without the network, removes it", () =>
      withPage(async (page, server) => {
        await isReady(page);
        model.isSlow = true;
        await download(page, model.url);
        await until(page, `/kB of 865 kB/.test(document.querySelector(".download")?.textContent)`);
        await clickButton(page, ".download", "Pause");
        await until(page, `/Paused at/.test(document.querySelector(".download")?.textContent)`);
        model.isSlow = false;
        await clickButton(page, ".download", "Go on");
        await until(page, `/is on this device now/.test(document.querySelector("#models-notice").textContent)`);
        await until(page, `document.querySelectorAll("#model-list li").length === 2`);
        assert.deepEqual(await violations(page), []);
        await page.screenshot({ path: `${SCREENSHOTS}/${name}-models.png` });
        await clickButton(page, "#model-list li:nth-child(2)", "Use");
        await hasModel(page, "tiny.gguf");
        await until(page, "navigator.serviceWorker.controller !== null");
        await server.stop();
        await page.reload();
        await hasModel(page, "tiny.gguf");
        await say(page, "CASSIO:");
        await hasEnded(page);
        assert.ok((await turns(page))[1].length > 10);
        await openDialog(page, "models");
        await until(page, `document.querySelectorAll("#model-list li").length === 2`);
        await clickButton(page, "#model-list li:nth-child(2)", "Remove");
        await until(page, `/is gone/.test(document.querySelector("#models-notice").textContent)`);
        await closeDialog(page);
        await hasModel(page, "Shakespeare");
      }));

    test("a wrong file that is dropped: said, and the model before goes on", () =>
      withPage(async (page) => {
        await isReady(page);
        await drop(page, model.url.replace("tiny.gguf", "notes.txt"), "notes.txt");
        await says(page, "#notice", /not a model file.*\[file\/unknown-format\]/s);
        await hasModel(page, "Shakespeare");
        await isReady(page);
        assert.match(await textOf(page, "#notice"), /not a model file/);
      }));

    for (const [what, file, sentence] of UNKNOWN_MODELS) {
      test(`a model of ${what} that onebit does not know: said, and the model before goes on`, () =>
        withPage(async (page) => {
          await isReady(page);
          await drop(page, model.url.replace("tiny", file), `${file}.gguf`);
          await says(page, "#notice", sentence);
          await hasModel(page, "Shakespeare");
          await isReady(page);
          assert.match(await textOf(page, "#notice"), sentence);
        }));
    }

    test("a model with a chat template that is dropped: chats, on several threads, and forgets the oldest when it must", () =>
      withPage(async (page) => {
        await isReady(page);
        await drop(page, model.url.replace("tiny", "chat"), "chat.gguf");
        await hasModel(page, "chat.gguf");
        await isReady(page);
        assert.match(await textOf(page, "#welcome"), /answers from this device/);
        await openDialog(page, "settings");
        assert.match(await textOf(page, "#engine-facts"), /relaxed SIMDThreads(?:[2-9]|\d\d)Memory/);
        await closeDialog(page);
        await setRange(page, "maxTokens", 16);
        // Random weights may end an answer before its first word: with this seed they do not.
        await page.evaluate(
          `{ const seed = document.querySelector("#seed"); seed.value = "7"; seed.dispatchEvent(new ` +
            `Event("input", { bubbles: true })); }`,
        );
        const question = "What is <b>this</b>? ".repeat(8).trim();
        for (let nTurns = 2; nTurns <= 12 && !/too far back/.test(await textOf(page, "#status")); nTurns += 2) {
          await say(page, question);
          await hasEnded(page);
          const said = await turns(page);
          assert.deepEqual([said.length, said.at(-2)], [nTurns, question]);
        }
        assert.match(await textOf(page, "#status"), /too far back/);
        await page.reload();
        await hasModel(page, "Shakespeare");
        assert.match(await textOf(page, "#notice"), /^chat\.gguf is a file of this device.*choose it again/);
      }));

    test("a model of one's own gives its memory back while nobody looks for long, and goes on when somebody does", () =>
      withPage(
        async (page) => {
          await isReady(page);
          await drop(page, model.url.replace("tiny", "chat"), "chat.gguf");
          await hasModel(page, "chat.gguf");
          const nEnded = await page.evaluate<number>("nEnded");
          await page.evaluate(lookedAt("hidden"));
          await until(page, `nEnded > ${nEnded}`);
          await page.evaluate(lookedAt("visible"));
          await isReady(page);
          await hasModel(page, "chat.gguf");
          // Random weights may end an answer before its first word.
          await say(page, "Are you there?");
          await says(page, "#status", /^\d+ tokens/);
        },
        { watch: HURRY },
      ));

    test("a worker that does not start: said", () =>
      withPage(
        async (page) => {
          await says(page, "#notice", /could not start.*\[engine\/worker-failed\]/s);
        },
        { workerPrelude: "throw new Error('broken');\n" },
      ));

    test("no room: said", () =>
      withPage(
        async (page) => {
          await isReady(page);
          await download(page, model.url);
          await says(page, ".download", /no room left.*\[hub\/no-space\]/s);
        },
        { workerPrelude: "StorageManager.prototype.estimate = async () => ({ quota: 1000, usage: 900 });\n" },
      ));

    test("room that runs out in the middle: said", () =>
      withPage(
        async (page) => {
          await isReady(page);
          await download(page, model.url);
          await says(page, ".download", /no room left.*\[hub\/no-space\]/s);
        },
        {
          workerPrelude:
            "FileSystemSyncAccessHandle.prototype.write = () => { throw new DOMException('it is full', " +
            "'QuotaExceededError'); };\n",
        },
      ));

    test("a file that is not the one that was announced: said, and not kept", () =>
      withPage(async (page) => {
        await isReady(page);
        await download(page, `${model.url}?sha256=${"0".repeat(64)}`);
        await says(page, ".download", /not the one the server announced.*\[hub\/checksum\]/s);
        assert.doesNotMatch(await textOf(page, "#model-list"), /tiny\.gguf/);
      }));

    test("no network, and a model that is not kept: said", () =>
      withPage(
        async (page) => {
          await isReady(page);
          const gone = await serveModel({});
          await gone.stop();
          await download(page, gone.url);
          await says(page, ".download", /no network, and this model is not kept.*\[hub\/network\]/s);
        },
        { watch: `${WATCH} Object.defineProperty(Navigator.prototype, "onLine", { get: () => false });` },
      ));

    test("a kept model that the browser has cleared: said, and the one built in opens", () =>
      withPage(async (page) => {
        await isReady(page);
        await download(page, model.url);
        await says(page, "#models-notice", /is on this device now/);
        await until(page, `document.querySelectorAll("#model-list li").length === 2`);
        await clickButton(page, "#model-list li:nth-child(2)", "Use");
        await hasModel(page, "tiny.gguf");
        await isReady(page);
        await page.evaluate(
          `navigator.storage.getDirectory().then((root) => root.removeEntry("onebit-urls", { recursive: true }))`,
        );
        await page.reload();
        await says(page, "#notice", /not kept on this device any more.*\[hub\/offline\]/s);
        await hasModel(page, "Shakespeare");
      }));

    test("a server that lets no pages read, an address that is none, a model that is not there: said", () =>
      withPage(async (page) => {
        await isReady(page);
        model.allowsPages = false;
        try {
          await download(page, `${model.url}?closed`);
          await says(page, ".download", /CORS.*\[hub\/network\]/s);
        } finally {
          model.allowsPages = true;
        }
        await page.evaluate(
          `document.querySelector("#downloads").replaceChildren(); document.querySelector("#models").close()`,
        );
        await download(page, "hf:nonsense");
        await says(page, ".download", /no address of a model.*\[hub\/bad-source\]/s);
        await page.evaluate(
          `document.querySelector("#downloads").replaceChildren(); document.querySelector("#models").close()`,
        );
        await download(page, model.url.replace("tiny", "absent"));
        await says(page, ".download", /no such model.*\[hub\/not-found\]/s);
      }));

    test("a browser without SIMD: said", () =>
      withPage(
        async (page) => {
          await says(page, "#notice", /no WebAssembly SIMD.*\[engine\/unsupported\]/s);
          assert.equal(await textOf(page, "#model-name"), "No model");
        },
        { workerPrelude: "WebAssembly.validate = () => false;\n" },
      ));

    test("a worker that is killed: said, what was written stays, and a model can be opened again", () =>
      withPage(
        async (page) => {
          await isReady(page);
          await setRange(page, "maxTokens", 2048);
          await say(page, "OTHELLO:");
          await until(
            page,
            `document.querySelector(".assistant .text")?.textContent.length > 5 && (workers.forEach((worker) => ` +
              "worker.terminate()), true)",
          );
          await says(page, "#notice", /ran out of memory.*\[engine\/worker-lost\]/s);
          assert.ok((await turns(page))[1].length > 5);
          await openDialog(page, "models");
          await clickButton(page, "#model-list li:first-child", "Use");
          await isReady(page);
        },
        { workerPrelude: SLOW_DEVICE },
      ));

    test("a worker that is killed during a download: said, and the download can go on", () =>
      withPage(async (page) => {
        await isReady(page);
        model.isSlow = true;
        await download(page, model.url);
        await until(page, `/kB of 865 kB/.test(document.querySelector(".download")?.textContent)`);
        model.isSlow = false;
        await page.evaluate("workers.at(-1).terminate()");
        await says(page, ".download", /go on with the download.*\[engine\/worker-lost\]/s);
        await clickButton(page, ".download", "Go on");
        await says(page, "#models-notice", /is on this device now/);
      }));

    test("dialogs: the keyboard opens, walks and closes them, and comes back to where it was", () =>
      withPage(async (page) => {
        await isReady(page);
        for (const [opener, dialog] of [
          ["open-models", "models"],
          ["open-settings", "settings"],
        ]) {
          await tabTo(page, opener);
          await page.keyboard.press("Enter");
          await until(page, `document.querySelector("#${dialog}").open`);
          await page.keyboard.press("Tab");
          assert.equal(
            await page.evaluate(`document.querySelector("#${dialog}").contains(document.activeElement)`),
            true,
          );
          await page.keyboard.press("Escape");
          await until(page, `!document.querySelector("#${dialog}").open`);
          assert.equal(await focused(page), opener);
        }
      }));

    test("axe-core finds nothing wrong, in light and dark, on a phone and a desktop", () =>
      withPage(async (page) => {
        await isReady(page);
        for (const theme of ["light", "dark"]) {
          for (const [size, viewport] of [
            ["phone", PHONE],
            ["desktop", DESKTOP],
          ] as const) {
            await page.setViewport(viewport);
            await openDialog(page, "settings");
            await page.evaluate(`document.querySelector("input[name=theme][value=${theme}]").click()`);
            assert.deepEqual(await violations(page), [], `settings, ${theme}, ${size}`);
            await page.screenshot({ path: `${SCREENSHOTS}/${name}-${size}-${theme}-settings.png` });
            await closeDialog(page);
            assert.deepEqual(await violations(page), [], `welcome, ${theme}, ${size}`);
            await page.screenshot({ path: `${SCREENSHOTS}/${name}-${size}-${theme}-welcome.png` });
            await page.evaluate(`document.querySelector("#examples button").click()`);
            await hasEnded(page);
            await say(page, "JULIET:");
            await hasEnded(page);
            assert.deepEqual(await violations(page), [], `conversation, ${theme}, ${size}`);
            await page.screenshot({ path: `${SCREENSHOTS}/${name}-${size}-${theme}-conversation.png` });
            await page.click("#new-conversation");
          }
        }
      }));

    test("examples/iframe: in a page of one's own, on several threads", () =>
      withPage(
        async (page) => {
          const chat = `document.querySelector("iframe").contentDocument`;
          await until(page, `(${chat}?.querySelector("#welcome:not([hidden]) #examples button") ?? null) !== null`);
          await page.evaluate(`${chat}.querySelector("#examples button").click()`);
          await until(page, `${chat}.querySelector(".assistant .text")?.textContent.length > 10`);
          assert.equal(await page.evaluate(`document.querySelector("iframe").contentWindow.crossOriginIsolated`), true);
        },
        { around: "examples/iframe" },
      ));

    const oneFile = pathToFileURL(writeSinglePage()).href;

    test("as one file, without a server: a worker computes", () =>
      withPage(
        async (page) => {
          await isReady(page);
          assert.equal(await textOf(page, "#status"), "");
          await say(page, "PORTIA:");
          await hasEnded(page);
          assert.ok((await turns(page))[1].length > 10);
          await openDialog(page, "models");
          await says(page, "#storage", /keeps no models/);
        },
        { url: oneFile },
      ));

    test("as one file where workers are refused: the page computes, and says so", () =>
      withPage(
        async (page) => {
          await isReady(page);
          assert.match(await textOf(page, "#status"), /computes by itself/);
          await say(page, "PORTIA:");
          await hasEnded(page);
          assert.ok((await turns(page))[1].length > 10);
        },
        {
          url: oneFile,
          watch: `window.Worker = class { constructor() { throw new DOMException("refused", "SecurityError"); } };`,
        },
      ));
  });
}

/** A model that chats; the same with another name of its architecture, and with weights of another type; no model. */
async function modelFiles(): Promise<Record<string, Uint8Array>> {
  const folder = mkdtempSync(resolve("build/page-"));
  try {
    await writeModelFile(join(folder, "chat.gguf"), syntheticModel(CHAT_SHAPE, 1));
    const chat = readFileSync(join(folder, "chat.gguf")),
      architecture = Buffer.from(chat),
      type = Buffer.from(chat);
    architecture.write("qwen9", architecture.indexOf("qwen3", architecture.indexOf("general.architecture")));
    // After the name: how many dimensions (2), their sizes, the type. IQ2_XXS has as many bytes as TQ2_0.
    const name = "blk.0.ffn_down.weight",
      typeAt = type.indexOf(name) + name.length + 4 + 2 * 8;
    assert.equal(type.readUInt32LE(typeAt), TQ2_0);
    type.writeUInt32LE(IQ2_XXS, typeAt);
    return {
      "chat.gguf": chat,
      "architecture.gguf": architecture,
      "type.gguf": type,
      "notes.txt": Buffer.from("these are no weights"),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
