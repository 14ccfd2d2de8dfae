/**
 * The program of the single-file page: the page's script and, as a Blob's text, its worker's. The page itself holds
 * the kernels and the model, as base64 in elements, and sends them.
 *
 * @module
 */
import { platformWithHub } from "../../hub.ts";
import type { KernelBinaries } from "../../kernels/variant.ts";
import { loadWithKernels } from "../../load.ts";
import { type ConnectionScope, serveWith } from "../serve.ts";
import { ChatPage } from "./chat-page.ts";
import { STARTED, livesAsWorker, workerFromText, workerOnThisThread } from "./start-worker.ts";
import { KeptContext, browserContexts } from "./state/kept-context.ts";
import { localMemory } from "./state/memory.ts";
import { serveStore } from "./store-host.ts";

const isWorker = typeof document === "undefined";
/** The page knows its own script only while it runs. */
const ownText = isWorker ? "" : (document.currentScript?.textContent ?? "");
const started: Promise<void> = isWorker ? startWorker() : startPage();
void started;

async function startWorker(): Promise<void> {
  const scope = globalThis as unknown as ConnectionScope;
  serve(scope);
  globalThis.postMessage(STARTED);
}

async function startPage(): Promise<void> {
  const canStart = await livesAsWorker(ownText),
    kernels = kernelsInPage(),
    memory = localMemory(),
    onThisThread = workerOnThisThread(serve);
  const page = new ChatPage({
    memory,
    keptContext: new KeptContext(browserContexts(), memory),
    startWorker: async () => ({ ...(canStart ? workerFromText(ownText) : await onThisThread()), kernels }),
    defaultModelBytes: async () => bytesOf("default-model"),
    remark: canStart
      ? undefined
      : "This browser starts no workers for a page opened as a file: the page itself computes and may stutter.",
  });
  await page.start();
}

function serve(scope: ConnectionScope): void {
  serveWith(
    (source, options, kernels = {}) => loadWithKernels(kernels, source, { ...options, platform: platformWithHub() }),
    scope,
  );
  serveStore(scope);
}

function kernelsInPage(): KernelBinaries {
  const ids = [...document.querySelectorAll('[id^="kernels."]')].map(({ id }) => id);
  return Object.fromEntries(ids.map((id) => [id.slice("kernels.".length), bytesOf(id)]));
}

/** What an element of the page holds. */
function bytesOf(id: string): Uint8Array<ArrayBuffer> {
  const text = document.getElementById(id)?.textContent ?? "";
  return Uint8Array.from(atob(text.trim()), (character) => character.charCodeAt(0));
}
