/**
 * llama.cpp as a peer, through the native addon of node-llama-cpp (CPU build from npm, no network, no compiler).
 *
 * The addon is driven directly: the public API of node-llama-cpp has no full logits, and its token queue would be
 * part of the timings. KV cache F16 and flash attention "auto", llama.cpp's defaults.
 */
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { getLlama } from "node-llama-cpp";

/** Opens a GGUF file; `close()` it. */
export async function openPeer(path, { threads = 1, contextLength = 512 } = {}) {
  const llama = await getLlama({ gpu: false, build: "never", skipDownload: true, logLevel: "error" });
  const bindings = llama._bindings;
  const started = performance.now();
  const model = new bindings.AddonModel(path, { addonExports: bindings, useMmap: true });
  if (!(await model.init())) throw new Error(`llama.cpp cannot load ${path}`);
  const context = new bindings.AddonContext(model, {
    contextSize: contextLength,
    batchSize: contextLength,
    sequences: 1,
    threads,
  });
  if (!(await context.init())) throw new Error(`llama.cpp cannot make a context for ${path}`);
  const sampler = new bindings.AddonSampler(model);
  sampler.applyConfig({}); // no temperature: greedy
  context.setThreads(threads);
  const peer = { bindings, systemInfo: llama.systemInfo, loadMs: performance.now() - started, model, context, sampler };
  return {
    ...peer,
    async close() {
      sampler.dispose();
      await context.dispose();
      await model.dispose();
      await llama.dispose();
    },
  };
}

/**
 * Logits after each id, as llama.cpp computes them for the ids in one batch (or, `oneByOne`, token by token).
 * @returns {Promise<Float32Array[]>} ids.length rows of vocabulary size
 */
export async function peerLogits(path, ids, { threads = 1, contextLength = 512, oneByOne = false } = {}) {
  const peer = await openPeer(path, { threads, contextLength });
  const rows = [];
  try {
    const step = oneByOne ? 1 : ids.length;
    for (let position = 0; position < ids.length; position += step) {
      const batchIndexes = await feed(peer, ids.slice(position, position + step), position, true);
      for (const index of batchIndexes) rows.push(await fullLogits(peer, index));
    }
  } finally {
    await peer.close();
  }
  return rows;
}

/** The ids of each text, in which no name of a control token is one. */
export async function peerTokens(path, texts) {
  const peer = await openPeer(path);
  try {
    return texts.map((text) => [...peer.model.tokenize(text, false)]);
  } finally {
    await peer.close();
  }
}

/** The ids of each text by a file's vocabulary alone: no name of a control token read, and all of them read. */
export async function peerVocabulary(path, texts) {
  const llama = await getLlama({ gpu: false, build: "never", skipDownload: true, logLevel: "error" });
  const model = new llama._bindings.AddonModel(path, { addonExports: llama._bindings, vocabOnly: true });
  if (!(await model.init())) throw new Error(`llama.cpp cannot load the vocabulary of ${path}`);
  try {
    const idsOf = (text, parseSpecial) => [...model.tokenize(text, parseSpecial)];
    return texts.map((text) => ({ plain: idsOf(text, false), special: idsOf(text, true) }));
  } finally {
    await model.dispose();
    await llama.dispose();
  }
}

/** Greedy continuation of `ids`. */
export async function peerGreedy(path, ids, nTokens, { threads = 1, contextLength = 512 } = {}) {
  const peer = await openPeer(path, { threads, contextLength });
  try {
    return (await decodeGreedy(peer, ids, nTokens)).ids;
  } finally {
    await peer.close();
  }
}

/** Time to take in `ids` at once, and then to make `nTokens` greedy tokens one by one. The context is emptied first. */
export async function timePeer(peer, ids, nTokens) {
  peer.context.disposeSequence(0);
  const { promptMs, generateMs } = await decodeGreedy(peer, ids, nTokens);
  return { promptTokensPerSecond: (ids.length / promptMs) * 1e3, tokensPerSecond: (nTokens / generateMs) * 1e3 };
}

async function decodeGreedy(peer, ids, nTokens) {
  const t0 = performance.now();
  let [index] = await feed(peer, ids, 0, false);
  let id = await peer.context.sampleToken(index, peer.sampler);
  const t1 = performance.now();
  const out = [];
  for (let i = 0; i < nTokens; i++) {
    out.push(id);
    [index] = await feed(peer, [id], ids.length + i, false);
    id = await peer.context.sampleToken(index, peer.sampler);
  }
  return { ids: out, promptMs: t1 - t0, generateMs: performance.now() - t1 };
}

async function feed({ context }, ids, position, allLogits) {
  context.initBatch(ids.length);
  const logitIndexes = allLogits ? Uint32Array.from(ids.keys()) : Uint32Array.of(ids.length - 1);
  const batchIndexes = context.addToBatch(0, position, Uint32Array.from(ids), logitIndexes);
  await context.decodeBatch();
  return batchIndexes;
}

/** The addon returns [id, logit, id, logit, …] by falling logit. */
async function fullLogits({ context, sampler }, batchIndex) {
  const result = await context.sampleToken(batchIndex, sampler, false, false, true);
  const pairs = result[3];
  const row = new Float32Array(pairs.length / 2);
  for (let i = 0; i < pairs.length; i += 2) row[pairs[i]] = pairs[i + 1];
  return row;
}

/** Which texts each grammar accepts as a whole; null for a grammar that llama.cpp refuses. */
async function peerGrammars(cases) {
  const llama = await getLlama({ gpu: false, build: "never", skipDownload: true, logLevel: "disabled" });
  const results = cases.map(({ grammar, texts }) => {
    try {
      const compiled = new llama._bindings.AddonGrammar(grammar, { addonExports: llama._bindings });
      return texts.map((text) => compiled.isTextCompatible(text));
    } catch {
      return null;
    }
  });
  await llama.dispose();
  return results;
}

/** Options of samplers that are typed arrays. The penalties look at a list that is given, not at what was sampled. */
const TYPED = { repeatPenaltyTokens: Uint32Array, tokenBiasKeys: Uint32Array, tokenBiasValues: Float32Array };

/**
 * The logits after a prompt, and for each case the ids that can be drawn from them with their probabilities. A case's
 * history is what DRY has seen: the same logits are sampled again and again, with a bias that forces each of its ids.
 */
async function peerDistributions(path, { prompt, cases }) {
  const peer = await openPeer(path);
  try {
    const [index] = await feed(peer, prompt, 0, false),
      logits = [...(await fullLogits(peer, index))],
      distributions = [];
    for (const { history, config } of cases) {
      const sampler = new peer.bindings.AddonSampler(peer.model);
      const dry = Object.fromEntries(Object.entries(config).filter(([name]) => name.startsWith("dry")));
      for (const id of history) {
        sampler.applyConfig({ ...dry, tokenBiasKeys: Uint32Array.of(id), tokenBiasValues: Float32Array.of(1e6) });
        const sampled = await peer.context.sampleToken(index, sampler);
        if (sampled !== id) throw new Error(`wanted ${id} in the history, got ${sampled}`);
      }
      const own = { ...config };
      for (const [name, List] of Object.entries(TYPED)) if (name in own) own[name] = List.from(own[name]);
      sampler.applyConfig(own);
      const [, pairs] = await peer.context.sampleToken(index, sampler, true);
      distributions.push([...pairs]);
      sampler.dispose();
    }
    return { logits, distributions };
  } finally {
    await peer.close();
  }
}

// As a command, so that a crash of native code, and its memory, stay out of the process that compares:
//   node llama-cpp.mjs logits MODEL 1,2,3 OUT CONTEXT   f32 rows, one an id
//   node llama-cpp.mjs tokens MODEL '["text"]'            JSON, the ids of each text, none of them special
//   node llama-cpp.mjs vocabulary MODEL IN OUT            JSON files: texts, and the ids of each without and with names
//   node llama-cpp.mjs grammars IN OUT                    JSON files: grammars and texts, and which are accepted
//   node llama-cpp.mjs samplers MODEL IN OUT              JSON files: a prompt and cases, and their distributions
//   node llama-cpp.mjs bench MODEL PROMPT TOKENS THREADS REPEAT
if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) await main(process.argv.slice(2));

async function main([command, path, ...rest]) {
  if (command === "logits") {
    const [ids, out, contextLength] = rest;
    const rows = await peerLogits(path, ids.split(",").map(Number), { contextLength: Number(contextLength) });
    const file = openSync(out, "w");
    for (const row of rows) writeSync(file, new Uint8Array(row.buffer));
    closeSync(file);
  } else if (command === "tokens") {
    console.log(JSON.stringify(await peerTokens(path, JSON.parse(rest[0]))));
  } else if (command === "vocabulary") {
    const [input, output] = rest;
    writeFileSync(output, JSON.stringify(await peerVocabulary(path, JSON.parse(readFileSync(input, "utf8")))));
  } else if (command === "grammars") {
    writeFileSync(rest[0], JSON.stringify(await peerGrammars(JSON.parse(readFileSync(path, "utf8")))));
  } else if (command === "samplers") {
    writeFileSync(rest[1], JSON.stringify(await peerDistributions(path, JSON.parse(readFileSync(rest[0], "utf8")))));
  } else if (command === "bench") {
    const [nPrompt, nTokens, threads, repeat] = rest.map(Number);
    console.log(JSON.stringify(await benchPeer(path, { nPrompt, nTokens, threads, repeat })));
  } else {
    throw new Error(`unknown command ${command}`);
  }
}

async function benchPeer(path, { nPrompt, nTokens, threads, repeat }) {
  const peer = await openPeer(path, { threads, contextLength: Math.max(256, nPrompt + nTokens + 8) });
  const ids = Array.from({ length: nPrompt }, (_, i) => (i * 7919 + 13) % 1000);
  const runs = [];
  await timePeer(peer, ids, 2); // pages in the file and starts the threads
  for (let i = 0; i < repeat; i++) runs.push(await timePeer(peer, ids, nTokens));
  await peer.close();
  return {
    loadMs: peer.loadMs,
    promptTokensPerSecond: median(runs.map((run) => run.promptTokensPerSecond)),
    tokensPerSecond: median(runs.map((run) => run.tokensPerSecond)),
    systemInfo: peer.systemInfo,
  };
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}
