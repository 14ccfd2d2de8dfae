/** One schema: compiled, and its values walked with a mask before every token. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { OnebitError } from "../../src/core/errors.ts";
import { Expressions } from "../../src/grammar/expression.ts";
import { schemaExpression } from "../../src/grammar/schema/schema-expression.ts";
import { States } from "../../src/grammar/states.ts";
import { TokenMasks } from "../../src/grammar/token-masks.ts";
import type { TokenTrie } from "../../src/grammar/token-trie.ts";
import type { Tokenizer } from "../../src/tokenizer/tokenizer.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

export interface SchemaCase {
  readonly name: string;
  readonly schema: unknown;
  readonly tests: readonly { readonly valid: boolean; readonly data: unknown }[];
}

export interface MaskRun {
  readonly name: string;
  /** Why the schema was refused. */
  refused?: string;
  /** From the schema to the first mask. */
  firstMs: number;
  /** Of every further mask. */
  readonly maskMs: number[];
  validRefused: number;
  invalidAccepted: number;
  /** What it holds when all its values are walked, behind a full collection: the automaton and its masks. */
  heldBytes: number;
}

/** @param measuresMemory full collections make the times meaningless: they throw compiled code away */
export function measured(
  { name, schema, tests }: SchemaCase,
  tokenizer: Tokenizer,
  trie: TokenTrie,
  measuresMemory: boolean,
): MaskRun {
  const run: MaskRun = { name, firstMs: 0, maskMs: [], validRefused: 0, invalidAccepted: 0, heldBytes: 0 };
  const before = measuresMemory ? heldBytes() : 0;
  const started = performance.now();
  let masks: TokenMasks | undefined;
  try {
    const expressions = new Expressions();
    const states = new States(expressions, schemaExpression(expressions, schema));
    masks = new TokenMasks(states, trie);
    masks.mask(states.start);
    run.firstMs = performance.now() - started;
    for (const { valid, data } of tests) {
      const isAccepted = walked(masks, tokenizer.encode(JSON.stringify(data), { addSpecial: false }), run.maskMs);
      if (valid && !isAccepted) run.validRefused++;
      if (!valid && isAccepted) run.invalidAccepted++;
    }
  } catch (error) {
    if (!(error instanceof OnebitError)) throw error;
    run.refused = `${error.code}: ${error.message}`;
  }
  if (measuresMemory && masks !== undefined) {
    run.heldBytes = Math.max(0, heldBytes() - before);
    // Held until here.
    masks.forced(masks.states.start);
  }
  return run;
}

/** Of objects and of arrays outside the heap, after a collection. */
function heldBytes(): number {
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function walked(masks: TokenMasks, ids: Iterable<number>, times: number[]): boolean {
  let state = masks.states.start;
  for (const id of ids) {
    const started = performance.now();
    const { bits } = masks.mask(state);
    times.push(performance.now() - started);
    if (((bits[id >>> 5] >>> (id & 31)) & 1) === 0) return false;
    state = masks.advance(state, id);
  }
  return masks.states.isAccepting(state);
}

export function isPassing(run: MaskRun): boolean {
  return run.refused === undefined && run.validRefused === 0 && run.invalidAccepted === 0;
}
