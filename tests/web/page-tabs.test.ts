/**
 * The chat page in several tabs of one browser: one download however many ask, another tab that goes on when the first
 * is closed, and an answer that is written while nobody looks.
 *
 * ONEBIT_BROWSERS=all runs it: `.ci/run browsers` brings the browsers and what drives them. It reads dist/ as it was
 * built.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { HUB_PARALLEL_REQUESTS, HUB_PART_BYTES } from "../../src/core/limits.ts";
import { type CountingServer, serveCounting } from "./counting-server.ts";
import { WAIT_MS, clickAction, download, hasEnded, isReady, say, setRange, turns } from "./page-acts.ts";
import { BROWSER_NAMES, type DrivenBrowser, type DrivenPage, SLOW_DEVICE, launch, servePage } from "./page-driver.ts";
import { Witness } from "./page-witness.ts";

const skip = process.env.ONEBIT_BROWSERS === "all" ? false : "runs in .ci/run browsers";

/** Twelve parts, of which four at a time are under way. */
const FILE_BYTES = 24 * 1024 * 1024;
/** A tab is closed when this much has come. */
const CLOSE_AT_BYTES = 10_000_000;
/** More than comes between two of the times a tab tells how far it is, which are a tenth of a second apart. */
const UNTOLD_BYTES = 4_000_000;
/** Measured: 0.08 to 0.15 s. A tab that found out by a timeout would take many seconds. */
const TAKE_OVER_MS_MAX = 3_000;

for (const name of BROWSER_NAMES) {
  describe(`chat page in tabs of ${name}`, { skip }, () => {
    // What is no model is not kept: it begins with one.
    const file = bytesOfNoPattern(FILE_BYTES);
    file.set(readFileSync("models/shakespeare.gguf"));
    const sha256 = createHash("sha256").update(file).digest("hex");
    let browser: DrivenBrowser;

    before(async () => {
      browser = await launch(name);
    });
    after(() => browser?.close());

    /** Runs `use` with two tabs of one origin and a file of theirs alone. */
    async function withTabs(
      use: (a: DrivenPage, b: DrivenPage, server: CountingServer) => Promise<void>,
      workerPrelude = "",
    ): Promise<void> {
      const [pages, server] = await Promise.all([servePage(), serveCounting(file)]),
        context = await browser.createBrowserContext(),
        witness = new Witness();
      pages.workerPrelude = workerPrelude;
      const open = async (): Promise<DrivenPage> => {
        const tab = await context.newPage();
        tab.setDefaultTimeout(WAIT_MS);
        witness.watch(tab);
        await tab.evaluateOnNewDocument(COUNT_KEPT);
        await tab.goto(pages.url);
        await isReady(tab);
        return tab;
      };
      try {
        await witness.tell(async () => {
          await use(await open(), await open(), server);
          assert.deepEqual(witness.complaints, []);
        });
      } finally {
        await context.close();
        await Promise.all([pages.stop(), server.stop()]);
      }
    }

    /** A downloads and B waits for it: the server does not send all before B has asked, however slow a browser is. */
    async function bothAsk(a: DrivenPage, b: DrivenPage, server: CountingServer): Promise<void> {
      server.heldAtBytes = CLOSE_AT_BYTES / 2;
      for (const tab of [a, b]) {
        await tab.bringToFront();
        await download(tab, server.url);
        await until(tab, tab === a ? IS_COMING : IS_WAITING);
      }
      server.heldAtBytes = Infinity;
    }

    test("two tabs pull the same model: its bytes are sent once, and both have it", (t) =>
      withTabs(async (a, b, server) => {
        await bothAsk(a, b, server);
        await until(a, HAS_IT);
        await until(b, HAS_IT);
        t.diagnostic(
          `${FILE_BYTES} bytes, two tabs: ${server.sentBytes} bytes sent in ${server.requests.length} requests`,
        );
        assert.equal(server.sentBytes, FILE_BYTES);
        assert.equal(new Set(server.requests.map(({ range }) => range)).size, server.requests.length);
        for (const tab of [a, b]) assert.equal(await keptHash(tab), sha256);
      }));

    test("a tab closed in the middle of a download: the other goes on at once, with what is there", (t) =>
      withTabs(async (a, b, server) => {
        await bothAsk(a, b, server);
        server.heldAtBytes = CLOSE_AT_BYTES + UNTOLD_BYTES;
        await until(a, `(document.querySelector(".download progress")?.value ?? 0) >= ${CLOSE_AT_BYTES}`);
        const closedMs = performance.now();
        await a.close();
        server.heldAtBytes = Infinity;
        await until(b, HAS_IT);
        const next = server.requests.find(({ atMs }) => atMs > closedMs),
          twiceBytes = server.sentBytes - FILE_BYTES;
        assert.ok(next, "nothing was asked for after the tab was closed");
        t.diagnostic(
          `went on ${Math.round(next.atMs - closedMs)} ms after the tab was closed, ${twiceBytes} bytes sent twice`,
        );
        assert.ok(next.atMs - closedMs <= TAKE_OVER_MS_MAX, `${next.atMs - closedMs} ms`);
        assert.ok(twiceBytes >= 0 && twiceBytes <= HUB_PARALLEL_REQUESTS * HUB_PART_BYTES, `${twiceBytes} bytes`);
        assert.equal(await keptHash(b), sha256);
      }));

    test(
      "an answer is written to its end in a tab that nobody looks at, kept as it comes, and is all there when " +
        "someone does",
      (t) =>
        withTabs(async (a, b) => {
          await a.bringToFront();
          await a.evaluate(
            `{ const seed = document.querySelector("#seed"); seed.value = "7"; seed.dispatchEvent(new ` +
              `Event("input", { bubbles: true })); }`,
          );
          await setRange(a, "maxTokens", 2048);
          await say(a, "BRUTUS:");
          await b.bringToFront();
          await until(a, `document.visibilityState === "hidden"`);
          assert.equal(
            await a.evaluate(`document.querySelector("#stop").hidden`),
            false,
            "the answer ended before the tab was hidden",
          );
          const atHidden = await a.evaluate<number>(
            `document.querySelector(".assistant .text")?.textContent.length ?? 0`,
          );
          await until(a, `document.querySelector("#stop").hidden`);
          assert.equal(await a.evaluate("document.visibilityState"), "hidden");
          // A browser may end a hidden tab without a word: what comes is kept as it comes.
          const nKept = await a.evaluate<number>("nKeptHidden");
          assert.ok(nKept >= 3, `kept ${nKept} times`);
          await a.bringToFront();
          await hasEnded(a);
          const unseen = await turns(a);
          t.diagnostic(
            `${atHidden} characters when the tab was hidden, kept ${nKept} times, ${unseen[1].length} characters ` +
              "when it was shown again",
          );
          assert.ok(unseen[1].length > atHidden);
          await clickAction(a, "Another answer");
          await hasEnded(a);
          assert.deepEqual(unseen, await turns(a), "with the same seed, seen, the answer is another");
        }, SLOW_DEVICE),
    );
  });
}

/** How often the conversation is kept while an answer is written and nobody looks. */
const COUNT_KEPT = `
  window.nKeptHidden = 0;
  const setItem = Storage.prototype.setItem;
  Storage.prototype.setItem = function (key, value) {
    const isWriting = !document.querySelector("#stop").hidden;
    if (key === "onebit:turns" && document.visibilityState === "hidden" && isWriting) window.nKeptHidden++;
    setItem.call(this, key, value);
  };
`;
const HAS_IT = `/is on this device now/.test(document.querySelector("#models-notice").textContent)`;
const IS_COMING = `(document.querySelector(".download progress")?.value ?? 0) > 0`;
const IS_WAITING = `/Another tab is downloading this model/.test(document.querySelector(".download")?.textContent)`;

/** Asks from here: the timers and frames of a hidden tab stand still. */
async function until(tab: DrivenPage, condition: string): Promise<void> {
  for (const giveUpMs = performance.now() + WAIT_MS; ; ) {
    if (await tab.evaluate<boolean>(`Boolean(${condition})`)) return;
    if (performance.now() > giveUpMs) assert.fail(`never came: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Of the file as the browser keeps it, by the browser's own SHA-256. */
function keptHash(tab: DrivenPage): Promise<string> {
  return tab.evaluate<string>(`(async () => {
    const folder = async (parent, name) => await parent.getDirectoryHandle(name);
    const urls = await folder(await folder(await navigator.storage.getDirectory(), "onebit-urls"), "urls");
    for await (const one of urls.values()) {
      const bytes = await (await (await one.getFileHandle("large.gguf")).getFile()).arrayBuffer();
      const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
      return [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    }
  })()`);
}

/** No two parts alike: one in the place of another would be told. */
function bytesOfNoPattern(count: number): Uint8Array {
  const words = new Uint32Array(count / 4);
  let state = 1;
  for (let i = 0; i < words.length; i++) words[i] = state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return new Uint8Array(words.buffer);
}
