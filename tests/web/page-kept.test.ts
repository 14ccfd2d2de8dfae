/**
 * What a person wrote, and what was answered, is not lost without a word: by a reload, a page that ends unannounced,
 * another model, a storage that is full.
 *
 * ONEBIT_BROWSERS=all runs it: `.ci/run browsers` brings the browsers and what drives them. It reads dist/ as it was
 * built.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  WAIT_MS,
  clickAction,
  clickButton,
  drop,
  hasEnded,
  hasModel,
  isReady,
  say,
  says,
  setRange,
  until,
} from "./page-acts.ts";
import { BROWSER_NAMES, type DrivenBrowser, type DrivenPage, SLOW_DEVICE, launch, servePage } from "./page-driver.ts";
import { Witness } from "./page-witness.ts";

const skip = process.env.ONEBIT_BROWSERS === "all" ? false : "runs in .ci/run browsers";

/** Tells the page how many ids of each prompt its worker had read before. */
const TELLS_CACHED = `{
  const post = MessagePort.prototype.postMessage, said = new BroadcastChannel("cached");
  MessagePort.prototype.postMessage = function (message, ...rest) {
    if (message?.done?.timings) said.postMessage(message.done.timings.cachedTokens);
    return post.call(this, message, ...rest);
  };
}`;
const HEARS_CACHED = `
  window.cached = [];
  window.hearing = new BroadcastChannel("cached");
  window.hearing.onmessage = ({ data }) => window.cached.push(data);
`;
/** One a conversation that a context was kept of. */
const N_KEPT = `caches.open("onebit-contexts").then((cache) => cache.keys()).then((keys) => keys.length)`;

const ASKS_TO_STAY = `!window.dispatchEvent(new Event("beforeunload", { cancelable: true }))`;

for (const name of BROWSER_NAMES) {
  describe(`what the chat page keeps in ${name}`, { skip }, () => {
    let browser: DrivenBrowser;
    before(async () => void (browser = await launch(name)));
    after(() => browser?.close());

    /** Runs `use` with a page and a storage of its own. */
    async function withPage(
      use: (page: DrivenPage) => Promise<void>,
      { workerPrelude = "", prelude = "" }: { workerPrelude?: string; prelude?: string } = {},
    ): Promise<void> {
      const server = await servePage(),
        context = await browser.createBrowserContext(),
        witness = new Witness();
      server.workerPrelude = workerPrelude;
      try {
        const page = await context.newPage();
        page.setDefaultTimeout(WAIT_MS);
        witness.watch(page);
        await witness.tell(async () => {
          await page.evaluateOnNewDocument(prelude);
          await page.goto(server.url);
          await use(page);
          assert.deepEqual(witness.complaints, []);
        });
      } finally {
        await context.close();
        await server.stop();
      }
    }

    test(
      "what is typed and not sent, and a question that is being changed, are there after a reload, and after a new " +
        "model",
      () =>
        withPage(async (page) => {
          await isReady(page);
          await setRange(page, "maxTokens", 16);
          await say(page, "IAGO:");
          await hasEnded(page);
          await clickAction(page, "Edit");
          await page.keyboard.type(" What, ho");
          await page.type("#prompt", "Not yet");
          const draft = `["#prompt", ".edit textarea"].map((field) => document.querySelector(field)?.value).join("|")`;
          await page.reload();
          await isReady(page);
          assert.equal(await page.evaluate<string>(draft), "Not yet|IAGO: What, ho");
          await drop(page, "index.html", "no-model.gguf");
          await says(page, "#notice", /not a model file/);
          await hasModel(page, "Shakespeare");
          assert.equal(await page.evaluate<string>(draft), "Not yet|IAGO: What, ho");
          await clickButton(page, "#transcript", "Send again");
          await until(page, `document.querySelector(".turn .text")?.textContent === "IAGO: What, ho"`);
          await hasEnded(page);
          await page.reload();
          await isReady(page);
          assert.equal(await page.evaluate<string>(draft), "Not yet|");
        }),
    );

    test("an answer is kept while it is written: a page that ends without a word loses a quarter of a second", () =>
      withPage(
        async (page) => {
          await isReady(page);
          await setRange(page, "maxTokens", 2048);
          await say(page, "IAGO:");
          // Nothing has told the page that it goes.
          await until(page, `JSON.parse(localStorage.getItem("onebit:turns"))?.[1]?.text.length > 5`);
          assert.equal(
            await page.evaluate<string>(`document.querySelector("#stop").hidden ? "has ended" : "is written"`),
            "is written",
          );
        },
        { workerPrelude: SLOW_DEVICE },
      ));

    test("what the model has read is kept: a reload does not read it again, until a conversation begins", () =>
      withPage(
        async (page) => {
          await isReady(page);
          await setRange(page, "maxTokens", 16);
          await say(page, "IAGO: What light is this that breaks through yonder window?");
          await hasEnded(page);
          await until(page, `${N_KEPT}.then((n) => n === 1)`);
          await page.reload();
          await isReady(page);
          await clickAction(page, "Go on");
          await hasEnded(page);
          await until(page, "window.cached.at(-1) > 16");
          await page.click("#new-conversation");
          await until(page, `${N_KEPT}.then((n) => n === 0)`);
        },
        { workerPrelude: TELLS_CACHED, prelude: HEARS_CACHED },
      ));

    for (const [what, isFull, sentence] of [
      ["the browser", "true", /refused to keep this conversation/],
      ["all but the tab", "this === localStorage", /only as long as this tab is open/],
    ] as const) {
      test(`a conversation that ${what} refuses to keep: said, and asked before it is left`, () =>
        withPage(
          async (page) => {
            await isReady(page);
            assert.equal(await page.evaluate<boolean>(ASKS_TO_STAY), false, "there is nothing to lose yet");
            await setRange(page, "maxTokens", 16);
            await say(page, "IAGO:");
            await hasEnded(page);
            await says(page, "#notice", sentence);
            assert.equal(await page.evaluate<boolean>(ASKS_TO_STAY), true);
            await page.click("#new-conversation");
            await until(page, `document.querySelector(".turn") === null`);
            assert.equal(await page.evaluate<boolean>(ASKS_TO_STAY), false);
          },
          {
            prelude:
              "{ const set = Storage.prototype.setItem; Storage.prototype.setItem = function (...entry) { if " +
              `(${isFull}) throw new DOMException("full", "QuotaExceededError"); set.apply(this, entry); }; }`,
          },
        ));
    }
  });
}
