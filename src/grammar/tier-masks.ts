/**
 * Tokens of one tier that a state allows: what a string in the state's beginning allows is found once for all places
 * where such a string occurs, the rest by walking the automaton over the trie.
 *
 * @module
 */
import { CounterHorizon } from "./counter-horizon.ts";
import { CHOICE, type Expression, REPEAT, SEQUENCE } from "./node.ts";
import type { OrdinaryCheck } from "./ordinary-check.ts";
import type { Head, Next } from "./stacks.ts";
import type { State, States } from "./states.ts";
import type { Slice, Tier, TokenTrie } from "./token-trie.ts";
import type { Suffixes } from "./suffix-tries.ts";
import { NO_TOKEN, type TrieNodes } from "./trie-nodes.ts";

export interface TierOptions {
  /** Finds strings in a state's beginning; undefined: everything is walked. */
  readonly ordinary: OrdinaryCheck | undefined;
  /** Take counters that no token can reach as unlimited. */
  readonly horizon: boolean;
  /** Most masks to keep of each kind. */
  readonly nCached: number;
}

/** What a string allows: `[^"]*"`. */
interface StringMask {
  /** Tokens that stay within it or end with it. */
  readonly bits: Uint32Array;
  /** How tokens go on behind it. */
  readonly suffixes: Suffixes;
}

/** A string and what follows. */
interface Split {
  readonly string: Expression;
  readonly tail: Expression;
  readonly next: Next;
}

export class TierMasks {
  readonly #states: States;
  readonly #trie: TokenTrie;
  readonly #tier: Tier;
  readonly #options: TierOptions;
  readonly #horizon: CounterHorizon | undefined;
  /** The state at each depth of a walk. */
  readonly #path: State[];
  /** Bits of states that others are like within the horizon. */
  readonly #nearby = new Map<State, Uint32Array>();
  /** "too many suffixes" is undefined. */
  readonly #strings = new Map<Expression, StringMask | undefined>();

  constructor(states: States, trie: TokenTrie, tier: Tier, options: TierOptions) {
    this.#states = states;
    this.#trie = trie;
    this.#tier = tier;
    this.#options = options;
    this.#path = new Array<State>(tier.longestBytes + 1).fill(states.dead);
    this.#horizon = options.horizon ? new CounterHorizon(states, tier.longestBytes) : undefined;
  }

  /** Sets the bits of all tokens of the tier that `state` allows. */
  addTo(bits: Uint32Array, state: State): void {
    const nearby = this.#horizon?.nearby(state) ?? state;
    if (nearby === state) {
      this.#compute(bits, state);
      return;
    }
    let known = this.#nearby.get(nearby);
    if (known === undefined) {
      known = new Uint32Array(bits.length);
      this.#compute(known, nearby);
      remember(this.#nearby, nearby, known, this.#options.nCached);
    }
    or(bits, known);
  }

  /** Drops what is cached. */
  forget(): void {
    this.#nearby.clear();
    this.#strings.clear();
    this.#horizon?.forget();
  }

  #compute(bits: Uint32Array, state: State): void {
    const others: Head[] = [];
    let isSplit = false;
    for (const head of state.heads) {
      const { kind, parts } = head.expression;
      for (const expression of kind === CHOICE ? parts : [head.expression]) {
        const member = { expression, next: head.next };
        const split = this.#split(member);
        const mask = split === undefined ? undefined : this.#stringMask(split.string);
        if (split === undefined || mask === undefined) {
          others.push(member);
          continue;
        }
        isSplit = true;
        or(bits, mask.bits);
        if (mask.suffixes.nodes.count === 0) continue;
        const behind = this.#states.stateOf([{ expression: split.tail, next: split.next }], false);
        this.#walkSuffixes(mask.suffixes, behind, bits);
      }
    }
    if (isSplit && others.length === 0) return;
    const rest = isSplit ? this.#states.stateOf(others, false) : state;
    const slice = this.#slice(rest.heads);
    if (slice !== undefined) or(bits, slice.bits);
    this.#walk(slice?.rest ?? this.#tier.all, rest, bits);
  }

  /** The tokens that are ordinary text which one of the heads allows, however it goes on. */
  #slice(heads: readonly Head[]): Slice | undefined {
    let most = 0;
    for (const { expression } of heads) most = Math.max(most, this.#options.ordinary?.length(expression) ?? 0);
    return this.#tier.slices.find(({ nCharacters }) => nCharacters <= most);
  }

  /** The string at the beginning of a head, up to what ends it; undefined if there is none. */
  #split({ expression, next }: Head): Split | undefined {
    const { ordinary } = this.#options;
    if (ordinary === undefined || ordinary.length(expression) === 0) return undefined;
    const made = this.#states.expressions;
    if (expression.kind !== SEQUENCE) {
      const isOpen = expression.kind === REPEAT || expression.isNullable;
      return isOpen ? undefined : { string: expression, tail: made.empty, next };
    }
    const parts: Expression[] = [expression.parts[0]];
    let rest = expression.parts[1];
    // A repetition alone ends anywhere; what makes an end of it belongs to it. So does what follows a part that may be
    // empty: a token may begin with that.
    for (let isOpen = parts[0].kind === REPEAT || parts[0].isNullable; isOpen; ) {
      const [first, behind] = rest.kind === SEQUENCE ? rest.parts : [rest, made.empty];
      if (first === made.empty) return undefined;
      parts.push(first);
      isOpen = first.isNullable;
      rest = behind;
    }
    return { string: made.sequence(...parts), tail: rest, next };
  }

  #stringMask(string: Expression): StringMask | undefined {
    const nearby = this.#horizon?.expression(string) ?? string;
    if (this.#strings.has(nearby)) return this.#strings.get(nearby);
    const mask = this.#computedString(nearby);
    remember(this.#strings, nearby, mask, this.#options.nCached);
    return mask;
  }

  #computedString(string: Expression): StringMask | undefined {
    const slice = this.#slice([{ expression: string, next: this.#states.stacks.end }]);
    const bits = slice?.bits.slice() ?? new Uint32Array((this.#trie.vocabSize + 31) >>> 5);
    const nodes = slice?.rest ?? this.#tier.all;
    const ends: number[] = [];
    this.#walk(nodes, this.#states.stateOf([{ expression: string, next: this.#states.stacks.end }], false), bits, ends);
    const suffixes = this.#trie.suffixes.behind(nodes, ends);
    return suffixes && { bits, suffixes };
  }

  /**
   * Sets the bits of all tokens whose bytes `state` allows.
   * @param ends takes the nodes after which the text is accepted
   */
  #walk(nodes: TrieNodes, state: State, bits: Uint32Array, ends?: number[]): void {
    const states = this.#states;
    const { dead } = states;
    const { count, bytes, depths, ends: behind, tokens } = nodes;
    const path = this.#path;
    path[0] = state;
    for (let node = 0; node < count; ) {
      const depth = depths[node];
      const from = path[depth];
      const byte = bytes[node];
      const reached = from.targets[from.classes[byte]] ?? states.step(from, byte);
      if (reached === dead) {
        node = behind[node];
        continue;
      }
      path[depth + 1] = reached;
      if (ends !== undefined && reached.isAccepting) ends.push(node);
      const token = tokens[node++];
      if (token === NO_TOKEN) continue;
      if (token >= 0) bits[token >>> 5] |= 1 << (token & 31);
      else setAll(bits, this.#trie.equals[~token]);
    }
  }

  /** The same for what follows a string. */
  #walkSuffixes({ nodes: suffixes, tokens }: Suffixes, state: State, bits: Uint32Array): void {
    const states = this.#states;
    const path = this.#path;
    path[0] = state;
    for (let node = 0; node < suffixes.count; ) {
      const depth = suffixes.depths[node];
      const reached = states.step(path[depth], suffixes.bytes[node]);
      if (reached === states.dead) {
        node = suffixes.ends[node];
        continue;
      }
      path[depth + 1] = reached;
      const index = suffixes.tokens[node++];
      if (index !== NO_TOKEN) setAll(bits, tokens[index]);
    }
  }
}

function setAll(bits: Uint32Array, ids: readonly number[]): void {
  for (const id of ids) bits[id >>> 5] |= 1 << (id & 31);
}

function or(into: Uint32Array, from: Uint32Array): void {
  for (let i = 0; i < into.length; i++) into[i] |= from[i];
}

/** Puts a value in a cache; the oldest goes when there are too many. */
function remember<Key, Value>(cache: Map<Key, Value>, key: Key, value: Value, most: number): void {
  cache.set(key, value);
  if (cache.size <= most) return;
  for (const oldest of cache.keys()) {
    cache.delete(oldest);
    break;
  }
}
