/** One schema: compiled, and its values walked with a mask before every token. */
import { OnebitError } from "../../src/core/errors.ts";
import { Expressions } from "../../src/grammar/expression.ts";
import { schemaExpression } from "../../src/grammar/schema/schema-expression.ts";
import { States } from "../../src/grammar/states.ts";
import { TokenMasks } from "../../src/grammar/token-masks.ts";
import type { TokenTrie } from "../../src/grammar/token-trie.ts";
import type { Tokenizer } from "../../src/tokenizer/tokenizer.ts";

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
  heapBytes: number;
}

export function measured({ name, schema, tests }: SchemaCase, tokenizer: Tokenizer, trie: TokenTrie): MaskRun {
  const run: MaskRun = { name, firstMs: 0, maskMs: [], validRefused: 0, invalidAccepted: 0, heapBytes: 0 };
  const heap = process.memoryUsage().heapUsed;
  const started = performance.now();
  try {
    const expressions = new Expressions();
    const states = new States(expressions, schemaExpression(expressions, schema));
    const masks = new TokenMasks(states, trie);
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
  run.heapBytes = Math.max(0, process.memoryUsage().heapUsed - heap);
  return run;
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
