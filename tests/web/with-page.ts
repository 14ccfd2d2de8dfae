/** A page of its own for a test, on a server and with a storage of its own. */
import assert from "node:assert/strict";
import { WAIT_MS } from "./page-acts.ts";
import { type DrivenBrowser, type DrivenPage, type PageServer, servePage } from "./page-driver.ts";
import { Witness } from "./page-witness.ts";

export const PHONE = { width: 390, height: 844, deviceScaleFactor: 2 };
export const SCREENSHOTS = "build/page-screenshots";

/** Remembers every worker the page starts, what its policy refuses, and when the first word of an answer is shown. */
export const WATCH = `
  window.workers = [];
  window.Worker = class extends Worker { constructor(...args) { super(...args); window.workers.push(this); } };
  window.refusals = [];
  document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => {
    window.refusals.push(violatedDirective + " " + blockedURI);
  });
`;

export interface PageChoices {
  /** Code that runs before the page's worker. */
  readonly workerPrelude?: string;
  /** Whether the server sends the headers that isolate a page. */
  readonly isolates?: boolean;
  /** Code that runs before the page. Default: WATCH. */
  readonly watch?: string;
  /** Default: the server's. */
  readonly url?: string;
  /** A folder whose page has the chat page in it. */
  readonly around?: string;
}

/** Runs `use` with a page, a server and a storage of their own. */
export async function withPage(
  browser: DrivenBrowser,
  use: (page: DrivenPage, server: PageServer) => Promise<void>,
  { workerPrelude = "", isolates = true, watch = WATCH, url, around }: PageChoices = {},
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
