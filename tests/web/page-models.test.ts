/**
 * Models on the chat page, in Chromium and Firefox: downloaded, dropped, kept, removed; wrong files, and no room for
 * them.
 *
 * ONEBIT_BROWSERS=all runs it: `.ci/run browsers` brings the browsers and what drives them. It reads dist/ as it was
 * built.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { syntheticModel } from "../synthetic/model.ts";
import type { Shape } from "../synthetic/shapes.ts";
import { writeModelFile } from "../synthetic/write-file.ts";
import {
  clickButton,
  closeDialog,
  download,
  drop,
  hasEnded,
  hasModel,
  isReady,
  openDialog,
  say,
  says,
  setRange,
  textOf,
  turns,
  until,
} from "./page-acts.ts";
import { BROWSER_NAMES, type DrivenBrowser, type ModelServer, launch, serveModel, violations } from "./page-driver.ts";
import { type PageChoices, SCREENSHOTS, WATCH, withPage as withPageOf } from "./with-page.ts";

const skip = process.env.ONEBIT_BROWSERS === "all" ? false : "runs in .ci/run browsers";

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

/** Five minutes pass at once, the minute a worker has to answer does not; the ends of workers are counted. */
const HURRY = `${WATCH}
  const later = window.setTimeout;
  window.setTimeout = (run, ms, ...rest) => later(run, ms > 60_000 ? 20 : ms, ...rest);
  window.nEnded = 0;
  window.Worker = class extends Worker { terminate() { window.nEnded++; super.terminate(); } };
`;
/** As a browser does when a person looks elsewhere, and back. */
const lookedAt = (state: "hidden" | "visible"): string =>
  `Object.defineProperty(document, "visibilityState", { value: "${state}", configurable: true }); ` +
  `document.dispatchEvent(new Event("visibilitychange"))`;

/** Of modelFiles(). */
const UNKNOWN_MODELS: readonly (readonly [what: string, file: string, sentence: RegExp])[] = [
  ["an architecture", "architecture", /does not know this kind of model.*\[model\/unsupported-architecture\]/s],
  ["a type of weights", "type", /does not run this model.s weight type.*\[tensor\/unsupported-type\]/s],
];

for (const name of BROWSER_NAMES) {
  describe(`models on the chat page in ${name}`, { skip }, () => {
    let browser: DrivenBrowser, model: ModelServer;

    before(async () => {
      mkdirSync(SCREENSHOTS, { recursive: true });
      [browser, model] = await Promise.all([launch(name), serveModel(await modelFiles())]);
    });
    after(async () => {
      await browser?.close();
      await model?.stop();
    });

    const withPage = (use: Parameters<typeof withPageOf>[1], choices?: PageChoices): Promise<void> =>
      withPageOf(browser, use, choices);

    test("a host that sends no headers: one thread and why; isolated by the service worker from then on", () =>
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
        await until(page, `/^Removed/.test(document.querySelector("#models-notice").textContent)`);
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

    test("a dropped model with a chat template: chats, on several threads, and forgets the oldest when it must", () =>
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
        await says(page, ".download", /not a model.s address.*\[hub\/bad-source\]/s);
        await page.evaluate(
          `document.querySelector("#downloads").replaceChildren(); document.querySelector("#models").close()`,
        );
        await download(page, model.url.replace("tiny", "absent"));
        await says(page, ".download", /no such model.*\[hub\/not-found\]/s);
      }));

    test("a worker that is killed during a download: said, and the download can go on", () =>
      withPage(async (page) => {
        await isReady(page);
        model.isSlow = true;
        await download(page, model.url);
        await until(page, `/kB of 865 kB/.test(document.querySelector(".download")?.textContent)`);
        model.isSlow = false;
        await page.evaluate("workers.at(-1).terminate()");
        await says(page, ".download", /go on with the download.*\[hub\/worker-lost\]/s);
        await clickButton(page, ".download", "Go on");
        await says(page, "#models-notice", /is on this device now/);
      }));
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
