/**
 * Explains errors in plain sentences, with what to do.
 *
 * @module
 */
import { type ErrorCode, OnebitError } from "../../../core/errors.ts";

export interface Explanation {
  readonly sentence: string;
  /** The library's own words, for more detail. */
  readonly detail: string;
}

/** The circumstances that change an explanation. */
export interface Circumstances {
  readonly isOnline: boolean;
  /** The page is a file, not on a server. */
  readonly isFile: boolean;
}

type Rule = readonly [matches: (code: ErrorCode, circumstances: Circumstances) => boolean, sentence: string];

const is =
  (...codes: readonly ErrorCode[]) =>
  (code: ErrorCode): boolean =>
    codes.includes(code);
const within =
  (...groups: readonly string[]) =>
  (code: ErrorCode): boolean =>
    groups.some((group) => code.startsWith(`${group}/`));

const DAMAGED = "This model file is damaged, or is not what it says it is.";

/** The first match counts. */
const RULES: readonly Rule[] = [
  [
    is("engine/unsupported"),
    "This browser cannot run models: it has no WebAssembly SIMD. Chrome 91, Firefox 89 and Safari 16.4, and " +
      "everything newer, can.",
  ],
  [
    is("engine/forbidden"),
    "The server of this page forbids WebAssembly, so no model can run. Its Content-Security-Policy needs " +
      "'wasm-unsafe-eval'.",
  ],
  [
    is("engine/worker-failed"),
    "The part of the page that runs models could not start. Reload the page; if that does not help, the page's " +
      "server leaves out a file or forbids workers.",
  ],
  [
    is("engine/part-missing"),
    "A part of this page could not be fetched. Check the network and try again; if that does not help, the " +
      "page's server leaves out a file.",
  ],
  [
    is("hub/worker-lost"),
    "The browser ended the part of the page that keeps models, most likely because the device ran out of memory. " +
      "What came is kept: go on with the download.",
  ],
  [
    is("engine/worker-lost"),
    "The browser stopped the model, most likely because the device ran out of memory. The conversation is " +
      "still here: choose a model again, a smaller one if it happens again.",
  ],
  [
    is("model/not-enough-memory"),
    "This model needs more memory than the browser allows. Close other tabs, or choose a smaller model.",
  ],
  [
    is("hub/no-space"),
    "There is no room left for this model. Remove one below, or free space on the device; the download goes on " +
      "where it stopped.",
  ],
  [
    (code, { isFile }) => code === "hub/unavailable" && isFile,
    "A page opened as a file cannot keep models. Choose a model file of this device instead, or open the page " +
      "from a server.",
  ],
  [
    is("hub/unavailable"),
    "This browser gives the page no place to keep models: private windows and pages without https have none. " +
      "Choosing a model file of this device works.",
  ],
  [
    (code, { isOnline }) => !isOnline && (code === "hub/network" || code === "hub/timeout"),
    "There is no network, and this model is not kept on this device. The built-in model and those in the list " +
      "work without one.",
  ],
  [is("hub/offline"), "This model is not kept on this device any more. Download it again."],
  [
    is("hub/network"),
    "The server could not be reached, or it does not let pages of other sites read its files (it sends no CORS " +
      "headers). Download the file yourself and choose it here.",
  ],
  [is("hub/timeout"), "The server stopped answering. What came is kept: go on with the download later."],
  [
    is("hub/unauthorized", "hub/forbidden"),
    "This model is private, or its owner wants you to sign in and agree first. Download the file yourself and " +
      "choose it here.",
  ],
  [is("hub/not-found"), "There is no such model at that address. Check the spelling."],
  [
    is("hub/bad-source"),
    "This is not a model's address. One looks like hf:owner/name, or https://… with a file that ends in .gguf.",
  ],
  [
    is("hub/no-model"),
    "There is no file there that onebit can run: it wants GGUF or safetensors files with 1-bit or ternary weights.",
  ],
  [
    is("hub/checksum", "hub/length", "hub/changed"),
    "The file that came is not the one the server announced. It was not used; try again.",
  ],
  [is("hub/busy"), "This model is downloading just now. Pause that first."],
  [
    within("hub"),
    "The model's server does not answer as it should. Try again later, or download the file yourself and choose " +
      "it here.",
  ],
  [
    is("file/unknown-format", "gguf/bad-magic"),
    "This is not a model file. onebit reads GGUF files (their name ends in .gguf) and safetensors.",
  ],
  [
    is("gguf/truncated", "gguf/tensor-outside-file", "safetensors/truncated", "safetensors/tensor-outside-file"),
    "This model file is incomplete: its end is missing. Download it again.",
  ],
  [
    is("gguf/split"),
    "This model is in several files, and the others are missing. Give its address instead, then all of them are " +
      "fetched.",
  ],
  [
    is("tensor/unsupported-type"),
    "onebit does not run this model's weight type. Look for a version in TQ2_0, TQ1_0, I2_S, Q1_0 or Q8_0.",
  ],
  [
    is("model/unsupported-architecture"),
    "onebit does not know this kind of model. It runs BitNet, Llama, Qwen 2 and 3, and MiniCPM models.",
  ],
  [is("tokenizer/missing"), "This file has no vocabulary, so the model cannot read text."],
  [is("tokenizer/unsupported", "tokenizer/bad-vocabulary"), "onebit cannot read the vocabulary of this model."],
  [within("gguf", "safetensors", "tensor"), DAMAGED],
  [is("model/bad-config", "model/missing-tensor", "model/bad-shape", "model/not-finite"), DAMAGED],
  [
    is("file/not-found", "file/read"),
    "The file cannot be read. It may have been moved or changed since it was chosen: choose it again.",
  ],
  [is("file/write"), "The browser could not keep this file."],
  [is("model/context-full"), "This is too long for the model to read at once. Shorten it."],
  [within("template"), "The model's own chat template does not work with this conversation."],
  [is("option/invalid"), "One of the settings is out of range."],
  [is("engine/self-test-failed"), "This browser computes wrong results. Updating it may help."],
];

const UNKNOWN = "Something unexpected went wrong. Reloading the page may help.";

export function explain(error: unknown, circumstances: Circumstances): Explanation {
  if (!(error instanceof OnebitError))
    return { sentence: UNKNOWN, detail: error instanceof Error ? `${error.name}: ${error.message}` : String(error) };
  const rule = RULES.find(([matches]) => matches(error.code, circumstances));
  return { sentence: rule?.[1] ?? UNKNOWN, detail: `${error.message} [${error.code}]` };
}

/** The page's current circumstances. */
export function circumstances(): Circumstances {
  return { isOnline: globalThis.navigator?.onLine !== false, isFile: globalThis.location?.protocol === "file:" };
}
