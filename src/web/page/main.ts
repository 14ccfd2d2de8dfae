/**
 * The program of the page as a server gives it: beside it lie its worker, the kernels and the default model.
 *
 * @module
 */
import { ChatPage } from "./chat-page.ts";
import { fetchBytes } from "./fetch-bytes.ts";
import { keepForOffline } from "./offline.ts";
import { workerFromFile } from "./start-worker.ts";
import { localMemory } from "./state/memory.ts";

const page = new ChatPage({
  memory: localMemory(),
  startWorker: workerFromFile("worker.js"),
  defaultModelBytes: () => fetchBytes(new URL("shakespeare.gguf", document.baseURI).href),
});
void page.start().then(() => keepForOffline("service-worker.js"));
