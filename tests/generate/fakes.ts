/**
 * Stand-ins that know what was asked of them: an engine whose logits are a given function of the ids it has read, and
 * a byte-level tokenizer of 262 tokens.
 */
import { fail } from "../../src/core/errors.ts";
import type { Numeric } from "../../src/kernels/numeric.ts";
import type { ModelConfig } from "../../src/model/config.ts";
import type { Engine } from "../../src/model/engine-interface.ts";
import { KvPages } from "../../src/model/kv-pages.ts";
import { makeByteAlphabet } from "../../src/tokenizer/byte-alphabet.ts";
import { tokenizerFromGguf } from "../../src/tokenizer/tokenizer.ts";
import type { Tokenizer } from "../../src/tokenizer/tokenizer.ts";

export const BOS = 256;
export const EOS = 257;
export const END_OF_TURN = 258;
const SPECIALS = ["<s>", "</s>", "<|im_end|>", "<|im_start|>", "<|eot_id|>", "<|end_of_text|>"];

/** Bytes are ids 0 to 255 in the order of their values, then {@link SPECIALS}. */
export function fakeTokenizer(
  options: { addBos?: boolean; chatTemplate?: string; keys?: Readonly<Record<string, string | number>> } = {},
): Tokenizer {
  const { unitOfByte } = makeByteAlphabet();
  const tokens = [...Array.from(unitOfByte, (unit) => String.fromCharCode(unit)), ...SPECIALS];
  return tokenizerFromGguf(
    new Map<string, string | number | boolean | string[] | Int32Array>([
      ["tokenizer.ggml.model", "gpt2"],
      ["tokenizer.ggml.pre", "gpt-2"],
      ["tokenizer.ggml.tokens", tokens],
      ["tokenizer.ggml.token_type", Int32Array.from(tokens, (_, id) => (id < 256 ? 1 : 3))],
      ["tokenizer.ggml.merges", []],
      ["tokenizer.ggml.bos_token_id", BOS],
      ["tokenizer.ggml.eos_token_id", EOS],
      ["tokenizer.ggml.add_bos_token", options.addBos ?? true],
      ...Object.entries(options.keys ?? {}),
      ...(options.chatTemplate === undefined
        ? []
        : [["tokenizer.chat_template", options.chatTemplate] as [string, string]]),
    ]),
  );
}

/** Plain JavaScript maths: tests of the sampler compare with sums of their own, not with other engines. */
export const numeric: Numeric = {
  argmax(logits) {
    let best = 0;
    for (let i = 1; i < logits.length; i++) if (!(logits[best] >= logits[i])) best = i;
    return best;
  },
  topK(logits, k) {
    const rank = (id: number): number => (Number.isNaN(logits[id]) ? -Infinity : logits[id]);
    const ids = Array.from(logits.keys())
      .sort((a, b) => (rank(a) === rank(b) ? a - b : rank(b) - rank(a)))
      .slice(0, k);
    return { ids: Int32Array.from(ids), logits: Float32Array.from(ids, (id) => logits[id]) };
  },
  exp: Math.exp,
  log: Math.log,
  logSumExp: (logits) => Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0)),
  random(seed) {
    let state = Number(BigInt.asUintN(31, BigInt(seed))) | 1;
    return {
      next() {
        state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
        return state / 0x80000000;
      },
    };
  },
};

export interface FakeEngine extends Engine {
  /** Each call of `evaluate`: where it began and what it was given. */
  readonly calls: { position: number; ids: number[] }[];
  closed: boolean;
}

export interface FakeEngineOptions {
  contextLength?: number;
  /** Pages of the KV cache; default: for one context. */
  nPages?: number;
  vocabSize?: number;
  config?: Partial<ModelConfig>;
  /** Runs before each evaluation. */
  before?: (position: number) => void | Promise<void>;
}

/** @param logitsAfter fills the logits after all of `ids` */
export function fakeEngine(
  logitsAfter: (ids: readonly number[], logits: Float32Array) => void,
  options: FakeEngineOptions = {},
): FakeEngine {
  const { contextLength = 64, vocabSize = 256 + SPECIALS.length } = options;
  const logits = new Float32Array(vocabSize);
  const fake: FakeEngine = {
    config: { architecture: "llama", name: "fake", nEmbd: 4, vocabSize, ...options.config } as ModelConfig,
    contextLength,
    vocabSize,
    memory: { wasmBytes: 3, weightBytes: 2, kvBytes: 1, stateBytes: 0 },
    warnings: [],
    engine: { variant: "simd", ternaryKernel: "tables", dots: "fused", threads: 1 },
    numeric,
    calls: [],
    closed: false,
    pages: new KvPages(options.nPages ?? Math.ceil(contextLength / 64), () => {}),
    kv: {
      fingerprint: 0n,
      kvType: "f32",
      pageBytes: 0,
      pagePositions: 64,
      stateBytes: 0,
      readState() {},
      writeState() {},
      readPage() {},
      writePage() {},
      hash: () => 0n,
    },
    rowsMax: 64,
    logitsMax: 16,
    async compute(parts, signal) {
      const all: Float32Array[][] = [];
      for (const { ids, sequence, nLogits } of parts) {
        const rows: Float32Array[] = [],
          want = nLogits === 0 ? "none" : nLogits === 1 ? "last" : "all";
        const onLogits = (_: number, row: Float32Array): void => void rows.push(row.slice());
        const last = await fake.evaluate(ids, sequence, { want, signal, onLogits });
        if (want === "last") rows.push(last.slice());
        all.push(rows.slice(rows.length - nLogits));
      }
      return all;
    },
    async evaluate(ids, sequence, { want = "last", onLogits, signal } = {}) {
      const { length: position, ids: cache } = sequence;
      if (position + ids.length > contextLength) throw new Error(`beyond the context: ${position} + ${ids.length}`);
      await options.before?.(position);
      // The real engine has other work done between batches.
      await new Promise((resolve) => setImmediate(resolve));
      if (signal?.aborted) fail("aborted", "fake");
      fake.calls.push({ position, ids: [...ids] });
      sequence.reserve(ids.length);
      sequence.commit(ids);
      for (const row of ids.keys()) {
        if (want === "none" || (want === "last" && row < ids.length - 1)) continue;
        logitsAfter([...cache, ...ids.slice(0, row + 1)], logits);
        if (want === "all") onLogits?.(row, logits);
      }
      return logits;
    },
    async hidden(ids, sequence) {
      sequence.reserve(ids.length);
      sequence.commit(ids);
      return Float32Array.from(ids.flatMap((id) => [id, 1, 0, -id]));
    },
    async close() {
      fake.closed = true;
    },
  };
  return fake;
}

/** An engine that answers every prompt with these ids, in order, counted from the end of a prompt of `promptLength`. */
export function scriptedEngine(
  promptLength: number,
  script: readonly number[],
  options: FakeEngineOptions = {},
): FakeEngine {
  return fakeEngine((ids, logits) => {
    logits.fill(0);
    logits[script[ids.length - promptLength] ?? EOS] = 20;
  }, options);
}

/** Ids of a text without BOS. */
export function bytesOf(text: string): number[] {
  return [...new TextEncoder().encode(text)];
}
