/**
 * The pages of the KV cache and what stands in them: a tree of ids.
 *
 *   group ─ page "once upon a …" ─┬─ page "… there was" ─ page (its last ids)
 *                                 └─ page "… in a land" (its last ids)
 *
 * A path from a group spells the ids of positions 0, 1, …; a page has 64, the last of a path maybe fewer. Sequences
 * that begin alike share pages, and whoever reads ids finds the longest cached beginning by its ids alone: keys and
 * values depend on nothing else. A page is written only at its end, by one sequence; another that continues differently
 * copies what it shares. Pages that no sequence uses stay until room is needed; the least recently used go first.
 *
 * Models with recurrent layers also need the state behind the ids (kv-states.ts): their sequences begin only where one
 * stands.
 *
 * @module
 */
import { KV_PAGE_POSITIONS } from "../../assembly/abi.ts";
import { fail } from "../core/errors.ts";
import { KvStates, type PlacedState } from "./kv-states.ts";
import { SequenceState } from "./sequence-state.ts";

/** Sequences share pages with those of their own group only. */
export type CacheGroup = string | object;

/** Of those that name none. */
const COMMON: CacheGroup = "";

interface Node {
  readonly page: number;
  readonly group: CacheGroup;
  readonly parent: Node | undefined;
  /** Ids whose keys and values are there. */
  readonly ids: number[];
  readonly children: Set<Node>;
  /** Open sequences whose path goes through it. */
  nUsers: number;
  /** The one that may append. */
  writer: Sequence | undefined;
  /** Whose sequences alone have used it. */
  author: object | undefined;
  usedAt: number;
}

interface Found {
  readonly nodes: Node[];
  readonly length: number;
  /** The state that stands behind them, in models that have them. */
  readonly state?: PlacedState;
}

/** Options of {@link KvPages.open}. */
export interface SequenceOptions {
  /** What it adds goes with it, unless others go on with that. Default: it stays. */
  readonly isPrivate?: boolean;
  /** Whose it is: who continues differently from what it alone used writes in the same place. */
  readonly author?: object;
  /** Default: one for all; for private ones, one for each. */
  readonly group?: CacheGroup;
}

/** Copies the first positions of a page to another. */
export type CopyPage = (from: number, to: number) => void;

export class KvPages {
  readonly nPages: number;
  /** @internal */
  readonly states: KvStates;
  readonly #copy: CopyPage;
  readonly #free: number[];
  readonly #roots = new Map<CacheGroup, Set<Node>>();
  readonly #nodes = new Set<Node>();
  #clock = 0;

  /** @param nStates of recurrent layers; 0 for models without */
  constructor(nPages: number, copy: CopyPage, nStates = 0) {
    this.nPages = nPages;
    this.states = new KvStates(nStates);
    this.#copy = copy;
    this.#free = Array.from({ length: nPages }, (_, i) => nPages - 1 - i);
  }

  /** Pages with nothing in them. */
  get nFree(): number {
    return this.#free.length;
  }

  /** Whether sequences have states, which cannot be cut back. */
  get hasStates(): boolean {
    return this.states.nStates > 0;
  }

  /** How many leading ids are cached. */
  count(ids: readonly number[], group?: CacheGroup): number {
    return this.#findBeginning(ids, group).length;
  }

  /** A sequence of the cached beginning of `ids`. */
  open(ids: readonly number[], options: SequenceOptions = {}): Sequence {
    const { isPrivate = false, group = isPrivate ? {} : COMMON } = options,
      { nodes, length, state } = this.#findBeginning(ids, group);
    return new Sequence(this, nodes, length, { ...options, group }, state);
  }

  /**
   * Forgets what `author` alone used behind the first `length` of `ids`, where nothing else follows; of length 0, all
   * that it alone used.
   */
  discard(ids: readonly number[], length: number, author: object, group?: CacheGroup): void {
    if (length === 0) return this.#forget(author);
    const { nodes } = this.#find(ids, group),
      nKept = Math.ceil(length / KV_PAGE_POSITIONS);
    const isFree = (node: Node | undefined): node is Node =>
      node?.nUsers === 0 && node.children.size === 0 && node.author === author;
    while (nodes.length > nKept && isFree(nodes.at(-1))) this.#drop(nodes.pop()!);
    const last = nodes.at(-1);
    if (nodes.length === nKept && isFree(last)) this.cut(last, length - KV_PAGE_POSITIONS * (nKept - 1));
  }

  /** @internal Forgets all but the first `length` ids of a page. */
  cut(node: Node, length: number): void {
    node.ids.length = Math.min(node.ids.length, length);
    this.states.forget(node, length);
  }

  /** Children stand behind their parents, so they go first. */
  #forget(author: object): void {
    for (const node of [...this.#nodes].reverse())
      if (node.author === author && node.nUsers === 0 && node.children.size === 0) this.#drop(node);
  }

  /** What is cached of `ids` is of several from now on: none of them discards it. */
  share(ids: readonly number[], group?: CacheGroup): void {
    const { nodes, state } = this.#findBeginning(ids, group);
    for (const node of nodes) node.author = undefined;
    if (state !== undefined) state.author = undefined;
  }

  /** @internal */
  enter(node: Node, { author }: Sequence): void {
    if (node.author !== author) node.author = undefined;
    node.nUsers++;
    node.usedAt = this.#clock;
  }

  /** @internal The sequence is through with `node`. */
  leave(node: Node, sequence: Sequence, isPrivate: boolean): void {
    node.nUsers--;
    node.usedAt = ++this.#clock;
    if (node.writer !== sequence) return;
    node.writer = undefined;
    if (node.nUsers === 0 && (isPrivate || node.ids.length === 0)) this.#drop(node);
  }

  /** @internal A page behind `parent` for `writer`; its beginning is copied from `like`, if given. */
  add(parent: Node | undefined, writer: Sequence, like?: { readonly node: Node; readonly length: number }): Node {
    const page = this.#free.pop() ?? this.#evict();
    if (page === undefined) return failFull(this.nPages);
    if (like !== undefined) this.#copy(like.node.page, page);
    const ids = like === undefined ? [] : like.node.ids.slice(0, like.length);
    const { author, group } = writer,
      state = { nUsers: 0, writer, author, usedAt: this.#clock };
    const node = { page, group, parent, ids, children: new Set<Node>(), ...state };
    this.#nodes.add(node);
    if (parent !== undefined) parent.children.add(node);
    else this.#roots.set(group, (this.#roots.get(group) ?? new Set()).add(node));
    return node;
  }

  /** @internal Whether a page can be had. */
  get hasRoom(): boolean {
    return this.#free.length > 0 || this.#oldest() !== undefined;
  }

  #findBeginning(ids: readonly number[], group?: CacheGroup): Found {
    return this.hasStates ? this.#findState(ids, group) : this.#find(ids, group);
  }

  /** The last state that stands behind a beginning of `ids`. Pages may lead to it beside others of the same ids. */
  #findState(ids: readonly number[], group: CacheGroup = COMMON): Found {
    let best: { node: Node; state: PlacedState; length: number } | undefined;
    const open = [...(this.#roots.get(group) ?? [])].map((node) => ({ node, begin: 0 }));
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      const { node, begin } = at,
        n = countAlike(node.ids, ids, begin);
      for (const state of this.states.of(node))
        if (state.length <= n && begin + state.length > (best?.length ?? 0))
          best = { node, state, length: begin + state.length };
      if (n === KV_PAGE_POSITIONS)
        for (const child of node.children) open.push({ node: child, begin: begin + KV_PAGE_POSITIONS });
    }
    const nodes: Node[] = [];
    for (let node = best?.node; node !== undefined; node = node.parent) nodes.unshift(node);
    return { nodes, length: best?.length ?? 0, state: best?.state };
  }

  #find(ids: readonly number[], group: CacheGroup = COMMON): Found {
    const nodes: Node[] = [];
    let among = this.#roots.get(group) ?? new Set<Node>(),
      length = 0;
    for (;;) {
      let best: Node | undefined,
        most = 0;
      for (const node of among) {
        const n = countAlike(node.ids, ids, length);
        if (n > most) [best, most] = [node, n];
      }
      if (best === undefined) return { nodes, length };
      nodes.push(best);
      length += most;
      if (most < KV_PAGE_POSITIONS) return { nodes, length };
      among = best.children;
    }
  }

  /** Takes a page from the end of what was not used for longest. */
  #evict(): number | undefined {
    const node = this.#oldest();
    if (node === undefined) return undefined;
    this.#drop(node);
    return this.#free.pop();
  }

  #oldest(): Node | undefined {
    let oldest: Node | undefined;
    for (const node of this.#nodes) {
      if (node.nUsers > 0 || node.children.size > 0) continue;
      if (oldest === undefined || node.usedAt < oldest.usedAt) oldest = node;
    }
    return oldest;
  }

  #drop(node: Node): void {
    for (const child of node.children) this.#drop(child);
    this.states.forget(node, 0);
    const beside = node.parent?.children ?? this.#roots.get(node.group);
    beside?.delete(node);
    if (node.parent === undefined && beside?.size === 0) this.#roots.delete(node.group);
    this.#nodes.delete(node);
    this.#free.push(node.page);
  }
}

/** The positions of a context that computes; nobody takes its pages until it is closed. */
export class Sequence {
  readonly #pages: KvPages;
  readonly #nodes: Node[];
  readonly #isPrivate: boolean;
  /** @internal */
  readonly author: object | undefined;
  /** @internal */
  readonly group: CacheGroup;
  readonly #state: SequenceState;
  #isClosed = false;
  #length: number;

  /** @internal */
  constructor(
    pages: KvPages,
    nodes: Node[],
    length: number,
    { isPrivate = false, author, group = COMMON }: SequenceOptions,
    state?: PlacedState,
  ) {
    this.#pages = pages;
    this.#nodes = nodes;
    this.#length = length;
    this.#isPrivate = isPrivate;
    this.author = author;
    this.group = group;
    this.#state = new SequenceState(pages.states, author, state);
    for (const node of nodes) pages.enter(node, this);
  }

  /** Positions whose keys and values are in the cache. */
  get length(): number {
    return this.#length;
  }

  /** The ids at its positions. */
  get ids(): readonly number[] {
    return this.#nodes.flatMap(({ ids }) => ids).slice(0, this.#length);
  }

  /** The number of each page in turn. */
  get pages(): readonly number[] {
    return this.#nodes.map(({ page }) => page);
  }

  /** The numbers of the state that holds its positions, and of that which is to hold more; 0 where there is none. */
  get states(): { readonly from: number; readonly to: number } {
    return this.#state;
  }

  /**
   * Makes room for `n` more positions, which only this sequence writes.
   * @param keepsState whether a copy of its state stays where it stands now, if there is room for one
   * @throws OnebitError `model/context-full` when sequences that compute have all pages, or all states
   */
  reserve(n: number, keepsState = false): void {
    if (n > 0 && this.#pages.hasStates) this.#state.reserve(this.#place, keepsState);
    const begun = this.#nodes[Math.floor(this.#length / KV_PAGE_POSITIONS)];
    if (n > 0 && begun !== undefined) this.#own(begun, this.#length % KV_PAGE_POSITIONS);
    while (this.#nodes.length * KV_PAGE_POSITIONS < this.#length + n) {
      this.#push(this.#pages.add(this.#nodes.at(-1), this));
    }
  }

  /** The next `ids` are computed; room was reserved. Closed meanwhile, it keeps nothing. */
  commit(ids: readonly number[]): void {
    if (this.#isClosed) return;
    this.#state.commit();
    for (const id of ids) {
      this.#nodes[Math.floor(this.#length / KV_PAGE_POSITIONS)]!.ids.push(id);
      this.#length++;
    }
  }

  /** A walk begins to write what was reserved. */
  begin(): void {
    this.#state.begin();
  }

  /** That walk has ended before its end: what it wrote over is lost. Goes back to where a state stands. */
  abandon(): void {
    if (!this.#state.abandon() || this.#isClosed) return;
    this.truncate(this.#length - 1);
  }

  /**
   * Forgets all but the first `length` positions; whole pages of the others stay cached. A sequence with states goes
   * back to the last that stands there.
   */
  truncate(wantedLength: number): void {
    if (wantedLength >= this.#length) return;
    const length = this.#pages.hasStates ? this.#goBack(wantedLength) : wantedLength;
    this.#length = length;
    const nNodes = Math.ceil(length / KV_PAGE_POSITIONS);
    for (const node of this.#nodes.splice(nNodes).reverse()) this.#pages.leave(node, this, this.#isPrivate);
    const last = this.#nodes.at(-1);
    if (last?.writer !== this || last.nUsers > 1 || last.children.size > 0) return;
    this.#pages.cut(last, length - KV_PAGE_POSITIONS * (nNodes - 1));
  }

  /** To the last state that stands at `length` or before. @returns where that is */
  #goBack(length: number): number {
    let found: { state: PlacedState; at: number } | undefined;
    this.#nodes.forEach((node, i) => {
      for (const state of this.#pages.states.of(node)) {
        const at = i * KV_PAGE_POSITIONS + state.length;
        if (at <= length && at > (found?.at ?? 0)) found = { state, at };
      }
    });
    this.#state.goTo(found?.state);
    return found?.at ?? 0;
  }

  /** Where its state stands; undefined at the beginning. */
  get #place(): { readonly page: Node; readonly length: number } | undefined {
    const i = Math.ceil(this.#length / KV_PAGE_POSITIONS) - 1;
    return i < 0 ? undefined : { page: this.#nodes[i]!, length: this.#length - i * KV_PAGE_POSITIONS };
  }

  /** Gives the pages back; they stay in the cache while there is room. */
  close(): void {
    if (!this.#isClosed) this.#state.close(this.#isPrivate ? undefined : this.#place);
    this.#isClosed = true;
    for (const node of this.#nodes.splice(0).reverse()) this.#pages.leave(node, this, this.#isPrivate);
    this.#length = 0;
  }

  /** Makes the page that is begun, of which `length` positions are ours, one that we may append to. */
  #own(last: Node, length: number): void {
    const isOurs = last.writer === undefined || last.writer === this,
      isOnlyOurs = last.nUsers === 1 && last.children.size === 0;
    const { author } = this;
    if (isOurs && last.ids.length === length) {
      last.writer = this;
    } else if (isOnlyOurs && ((author !== undefined && last.author === author) || !this.#pages.hasRoom)) {
      this.#pages.cut(last, length);
      last.writer = this;
    } else {
      const copy = this.#pages.add(last.parent, this, { node: last, length });
      this.#nodes.pop();
      this.#pages.leave(last, this, false);
      this.#push(copy);
    }
  }

  #push(node: Node): void {
    this.#pages.enter(node, this);
    this.#nodes.push(node);
  }
}

/** How many of a page's ids are those of `ids` from `begin` on. */
function countAlike(page: readonly number[], ids: readonly number[], begin: number): number {
  const end = Math.min(page.length, ids.length - begin);
  let n = 0;
  while (n < end && page[n] === ids[begin + n]) n++;
  return n;
}

function failFull(nPages: number): never {
  return fail(
    "model/context-full",
    `the KV cache is full: contexts that compute have all its ${nPages * KV_PAGE_POSITIONS} positions; load the ` +
      "model with more kvPositions",
  );
}
