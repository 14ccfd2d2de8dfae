/**
 * The program of the single-file page: the page's script and, as a Blob's text, its worker's.
 *
 * @module
 */
import { platformWithHub } from "../../hub.ts";
import { load } from "../../index.ts";
import { type ConnectionScope, serveWith } from "../serve.ts";
import { ChatPage } from "./chat-page.ts";
import { STARTED, livesAsWorker, workerFromText, workerOnThisThread } from "./start-worker.ts";
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
  const canStart = await livesAsWorker(ownText);
  const page = new ChatPage({
    memory: localMemory(),
    startWorker: canStart ? async () => workerFromText(ownText) : workerOnThisThread(serve),
    defaultModelBytes: async () => bytesFromBase64(document.getElementById("default-model")?.textContent ?? ""),
    remark: canStart
      ? undefined
      : "This browser starts no workers for a page opened as a file: the page itself computes and may stutter.",
  });
  await page.start();
}

function serve(scope: ConnectionScope): void {
  serveWith((source, options) => load(source, { ...options, platform: platformWithHub() }), scope);
  serveStore(scope);
}

function bytesFromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.trim()), (character) => character.charCodeAt(0));
}
