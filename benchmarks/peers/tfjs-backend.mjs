/**
 * TensorFlow.js with its wasm backend, SIMD build, on a number of threads.
 *
 * Upstream never enables threads in Node, which lacks three browser features its threaded build needs. This provides
 * them without changing its files:
 *
 *   - a thread's script and the main script come as URLs of blobs, which Node's Worker cannot load: they become paths;
 *   - a `Blob` cannot be read at once: one that writes itself to a file, or names the script in the package, can;
 *   - it takes half the processors at most: it is told of twice as many as threads are wanted.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);
const FOLDER = dirname(dirname(require.resolve("@tensorflow/tfjs-backend-wasm")));
const MAIN_SCRIPT = join(FOLDER, "wasm-out", "tfjs-backend-wasm-threaded-simd.js");

/** @returns the library, and a description of its backend. Throws if that is not the requested one. */
export async function openTensorFlow(threads) {
  const tf = require("@tensorflow/tfjs-core"),
    backend = require("@tensorflow/tfjs-backend-wasm");
  // This bundle has the operations' gradients, which the core's bundle for Node lacks.
  require("@tensorflow/tfjs-layers");
  if (threads > 1) enableThreads(tf, threads);
  backend.setWasmPaths(join(FOLDER, "dist", "/"));
  backend.setThreadsCount(threads);
  await tf.setBackend("wasm");
  await tf.ready();
  const found = backend.getThreadsCount();
  if (tf.getBackend() !== "wasm" || found !== threads)
    throw new Error(`tfjs: wanted wasm with ${threads} threads, got ${tf.getBackend()} with ${found}`);
  if (!tf.env().get("WASM_HAS_SIMD_SUPPORT")) throw new Error("tfjs: wanted its SIMD build, this engine has no SIMD");
  return {
    tf,
    description: `tfjs ${tf.version_core}, wasm backend, SIMD build, ${threads} thread${threads > 1 ? "s" : ""}`,
  };
}

function enableThreads(tf, threads) {
  const folder = mkdtempSync(join(os.tmpdir(), "tfjs-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const pathsForUrls = "URL.createObjectURL = ({ path }) => path; URL.revokeObjectURL = () => {};\n";
  let nFiles = 0;
  globalThis.Blob = class {
    constructor(parts) {
      const text = parts.join("");
      if (text.startsWith("var WasmBackendModuleThreadedSimd")) {
        this.path = MAIN_SCRIPT;
      } else {
        this.path = join(folder, `${nFiles++}.cjs`);
        writeFileSync(this.path, pathsForUrls + text);
      }
    }
  };
  URL.createObjectURL = ({ path }) => path;
  const [processor] = os.cpus();
  require("node:os").cpus = () => new Array(2 * threads).fill(processor);
  tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", true);
}
