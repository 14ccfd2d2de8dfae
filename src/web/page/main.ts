/**
 * The program of the served page, with worker, kernels and default model as files beside it.
 *
 * @module
 */
import { ChatPage } from "./chat-page.ts";
import { fetchBytes } from "./fetch-bytes.ts";
import { keepForOffline } from "./offline.ts";
import { workerFromFile } from "./start-worker.ts";
import { KeptContext, browserContexts } from "./state/kept-context.ts";
import { localMemory } from "./state/memory.ts";

const memory = localMemory(),
  page = new ChatPage({
    memory,
    keptContext: new KeptContext(browserContexts(), memory),
    startWorker: workerFromFile("worker.js"),
    defaultModelBytes: () => fetchBytes(new URL("shakespeare.gguf", document.baseURI).href),
  });
void page.start().then(() => keepForOffline("service-worker.js"));
