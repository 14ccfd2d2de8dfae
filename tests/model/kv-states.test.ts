/** States among the pages: whatever sequences do, each goes on from the state of its own ids, and none is lost. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { OnebitError } from "../../src/core/errors.ts";
import { KvPages, type Sequence } from "../../src/model/kv-pages.ts";

/** Stands for the memory: a state is the ids that it holds. */
class Shadow {
  readonly states: (string | undefined)[];
  readonly pages: KvPages;

  constructor(nPages: number, nStates: number) {
    this.states = new Array<string | undefined>(nStates);
    this.pages = new KvPages(nPages, () => {}, nStates);
  }

  /** As an engine does it. `isStopped`: the walk ends before its end. */
  append(sequence: Sequence, ids: readonly number[], { keeps = false, isStopped = false } = {}): void {
    const before = sequence.ids;
    sequence.reserve(ids.length, keeps);
    this.check(sequence);
    sequence.begin();
    this.states[sequence.states.to] = isStopped ? "half" : keyOf([...before, ...ids]);
    if (isStopped) sequence.abandon();
    else sequence.commit(ids);
    this.check(sequence);
  }

  check(sequence: Sequence): void {
    const { ids, states, length } = sequence;
    assert.equal(ids.length, length);
    if (length > 0) assert.equal(this.states[states.from], keyOf(ids));
  }
}

function keyOf(ids: readonly number[]): string {
  return ids.join(" ");
}

const idsOf = (n: number, from = 0): number[] => Array.from({ length: n }, (_, i) => from + i);

test("a sequence begins where a state stands, and nowhere else", () => {
  const { pages } = new Shadow(8, 3),
    shadow = new Shadow(8, 3),
    author = {};
  assert.equal(pages.hasStates, true);
  const sequence = shadow.pages.open([], { author });
  shadow.append(sequence, idsOf(64));
  shadow.append(sequence, idsOf(10, 64), { keeps: true });
  sequence.close();
  for (const [n, found] of [
    [63, 0],
    [64, 64],
    [73, 64],
    [74, 74],
    [90, 74],
  ] as const)
    assert.equal(shadow.pages.count(idsOf(n)), found, `${n} ids`);
});

test("the only author goes on in place; another copies, and so does the author of what is shared", () => {
  const shadow = new Shadow(8, 3),
    [ann, bob] = [{}, {}];
  const append = (author: object, ids: readonly number[], id: number) => {
    const sequence = shadow.pages.open(ids, { author });
    assert.equal(sequence.length, ids.length);
    shadow.append(sequence, [id]);
    sequence.close();
  };
  append(ann, [], 1);
  append(ann, [1], 2);
  assert.equal(shadow.pages.count([1, 9]), 0, "moved on");
  append(bob, [1, 2], 3);
  assert.equal(shadow.pages.count([1, 2, 9]), 2, "left for the other");
  append(ann, [1, 2], 4);
  assert.deepEqual(
    [
      [1, 2, 9],
      [1, 2, 3],
      [1, 2, 4],
    ].map((ids) => shadow.pages.count(ids)),
    [2, 3, 3],
  );
  shadow.pages.share([1, 2, 4]);
  append(ann, [1, 2, 4], 5);
  // Of three states, the one not used for longest made room.
  assert.deepEqual(
    [
      [1, 2, 3],
      [1, 2, 4],
      [1, 2, 4, 5],
    ].map((ids) => shadow.pages.count(ids)),
    [2, 3, 4],
  );
});

test("a walk that ended early leaves the state it was not to change, or none", () => {
  const shadow = new Shadow(8, 3),
    sequence = shadow.pages.open([], { author: {} });
  shadow.append(sequence, idsOf(64));
  shadow.append(sequence, [7], { keeps: true, isStopped: true });
  assert.equal(sequence.length, 64);
  shadow.append(sequence, idsOf(5, 64));
  shadow.append(sequence, [7], { isStopped: true });
  assert.equal(sequence.length, 0);
  const again = shadow.pages.open(idsOf(80));
  assert.equal(again.length, 0);
});

test("with all states in use there is an error, and room again after it", () => {
  const shadow = new Shadow(8, 2),
    open = [1, 2].map((id) => {
      const sequence = shadow.pages.open([]);
      shadow.append(sequence, [id]);
      return sequence;
    });
  const third = shadow.pages.open([]);
  assert.throws(() => shadow.append(third, [3]), { code: "model/context-full" });
  open[0]!.close();
  shadow.append(third, [3]);
});

/** Marsaglia's xorshift32. */
function random(seed: number): (below: number) => number {
  let state = seed * 2654435761 + 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

test("random sequences that begin alike, fork, stop, go back, close", () => {
  let nFound = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const below = random(seed),
      nStates = 1 + below(9),
      shadow = new Shadow(3 + below(20), nStates),
      open: Sequence[] = [],
      authors = [{}, {}, {}, undefined],
      known: (readonly number[])[] = [[]];
    for (let turn = 0; turn < 150; turn++) {
      const sequence = open[below(open.length + 1)],
        what = below(10);
      if (sequence === undefined || what === 0) {
        const like = known[below(known.length)]!,
          found = shadow.pages.open(like.slice(0, below(2) === 0 ? like.length : below(like.length + 1)), {
            isPrivate: below(8) === 0,
            author: authors[below(4)],
          });
        if (found.length > 0) nFound++;
        open.push(found);
      } else if (what === 1) {
        known.push(sequence.ids);
        sequence.close();
        open.splice(open.indexOf(sequence), 1);
      } else if (what === 2) {
        known.push(sequence.ids);
        const length = below(sequence.length + 1);
        if (below(2) === 0) sequence.truncate(length);
        else shadow.pages.discard(sequence.ids, length, authors[below(3)] ?? {});
      } else if (what === 3) shadow.pages.share(sequence.ids);
      else {
        const n = [1, 1, 2, 30, 64, 90][below(6)]!,
          ids = Array.from({ length: n }, () => (below(40) === 0 ? 1 : 0));
        try {
          shadow.append(sequence, ids, { keeps: below(3) === 0, isStopped: below(6) === 0 });
        } catch (error) {
          if (!(error instanceof OnebitError && error.code === "model/context-full")) throw error;
        }
      }
      for (const each of open) shadow.check(each);
    }
    for (const sequence of open) sequence.close();
    // Each state can be had again: none was lost on the way.
    const last = Array.from({ length: Math.min(nStates, shadow.pages.nPages) }, (_, i) => {
      const sequence = shadow.pages.open([], { isPrivate: true });
      shadow.append(sequence, [5000 + i]);
      return sequence;
    });
    for (const sequence of last) shadow.check(sequence);
  }
  assert.ok(nFound > 50, `only ${nFound} were found`);
});
