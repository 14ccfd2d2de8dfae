/**
 * The chat page as people use it, in Chromium and Firefox: read, typed, stopped, reloaded without a server; by keyboard
 * alone; looked over by axe-core; as one file. Screenshots go to build/page-screenshots.
 *
 * ONEBIT_BROWSERS=all runs it: `.ci/run browsers` brings the browsers and what drives them. It reads dist/ as it was
 * built.
 */
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import {
  clickAction,
  clickButton,
  closeDialog,
  focused,
  hasEnded,
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
import { BROWSER_NAMES, type DrivenBrowser, SLOW_DEVICE, launch, violations } from "./page-driver.ts";
import { writeSinglePage } from "./single-page.ts";
import { PHONE, type PageChoices, SCREENSHOTS, withPage as withPageOf } from "./with-page.ts";

const skip = process.env.ONEBIT_BROWSERS === "all" ? false : "runs in .ci/run browsers";
/** Measured: 0.3 to 0.8 s on two cores that others kept busy. More than this is no wait for the processor. */
const FIRST_TOKEN_MS_MAX = 5_000;
const DESKTOP = { width: 1280, height: 800 };

/** Takes the first example as soon as it is offered, and notes when the first word of the answer is shown. */
const BEGIN_AT_ONCE = `
  new MutationObserver(() => {
    const example = document.querySelector("#welcome:not([hidden]) #examples button");
    const answer = document.querySelector(".assistant .text");
    if (answer?.textContent.length > 0) window.firstTextMs ??= performance.now();
    else if (example && !window.begunMs) (window.begunMs = performance.now(), example.click());
  }).observe(document, { childList: true, subtree: true, characterData: true, attributes: true });
`;

for (const name of BROWSER_NAMES) {
  describe(`chat page in ${name}`, { skip }, () => {
    let browser: DrivenBrowser;
    before(async () => {
      mkdirSync(SCREENSHOTS, { recursive: true });
      browser = await launch(name);
    });
    after(() => browser?.close());

    const withPage = (use: Parameters<typeof withPageOf>[1], choices?: PageChoices): Promise<void> =>
      withPageOf(browser, use, choices);

    test("continues a text, by keyboard alone; keeps it across a reload", () =>
      withPage(async (page) => {
        await isReady(page);
        assert.match(await textOf(page, "#welcome"), /does not chat.*continues your text/s);
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

    test("a worker that does not start: said", () =>
      withPage(
        async (page) => {
          await says(page, "#notice", /could not start.*\[engine\/worker-failed\]/s);
        },
        { workerPrelude: "throw new Error('broken');\n" },
      ));

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
          assert.match(await textOf(page, "#status"), /the page itself computes/);
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
