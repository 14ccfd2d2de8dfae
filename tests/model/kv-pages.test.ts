/** Pages of the KV cache: whatever sequences do, each finds its own keys and values at every position. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OnebitError } from "../../src/core/errors.ts";
import { KvPages, type Sequence } from "../../src/model/kv-pages.ts";

const PAGE = 64;

/** Stands for the memory: what was written at each place is the hash of all ids up to it. */
class Shadow {
  readonly places: (string | undefined)[];
  readonly pages: KvPages;
  nCopies = 0;

  constructor(nPages: number) {
    this.places = new Array<string | undefined>(nPages * PAGE);
    this.pages = new KvPages(nPages, (from, to) => {
      this.nCopies++;
      this.places.copyWithin(to * PAGE, from * PAGE, (from + 1) * PAGE);
    });
  }

  /** As an engine does it: keys of each position depend on all ids before. */
  append(sequence: Sequence, ids: readonly number[]): void {
    const before = sequence.ids;
    sequence.reserve(ids.length);
    ids.forEach((_, i) => {
      const position = before.length + i;
      this.places[this.#at(sequence, position)] = keyOf([...before, ...ids.slice(0, i + 1)]);
    });
    sequence.commit(ids);
  }

  check(sequence: Sequence): void {
    const { ids } = sequence;
    assert.equal(ids.length, sequence.length);
    ids.forEach((_, i) => assert.equal(this.places[this.#at(sequence, i)], keyOf(ids.slice(0, i + 1))));
  }

  #at({ pages }: Sequence, position: number): number {
    return pages[Math.floor(position / PAGE)]! * PAGE + (position % PAGE);
  }
}

function keyOf(ids: readonly number[]): string {
  return ids.join(" ");
}

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

const idsOf = (n: number, from = 0): number[] => Array.from({ length: n }, (_, i) => from + i);

describe("what begins alike is computed once", () => {
  for (const n of [1, 63, 64, 65, 128, 130]) {
    test(`${n} ids, closed and opened again`, () => {
      const shadow = new Shadow(4),
        { pages } = shadow,
        first = pages.open(idsOf(n));
      assert.equal(first.length, 0);
      shadow.append(first, idsOf(n));
      first.close();
      assert.equal(pages.count(idsOf(n)), n);
      assert.equal(pages.count([...idsOf(n), 999]), n);
      assert.equal(pages.count([999]), 0);
      assert.equal(pages.open([...idsOf(n - 1), 999]).length, n - 1);
    });
  }

  test("a hundred sequences with the same 500 ids have their pages once", () => {
    const shadow = new Shadow(120),
      beginning = idsOf(500);
    const open = Array.from({ length: 100 }, (_, i) => {
      const sequence = shadow.pages.open(beginning);
      if (i > 0) assert.equal(sequence.length, 500);
      shadow.append(sequence, beginning.slice(sequence.length));
      shadow.append(sequence, [1000 + i]);
      return sequence;
    });
    for (const sequence of open) shadow.check(sequence);
    // Seven whole pages for all, and the eighth for each.
    assert.equal(shadow.pages.nFree, 120 - 7 - 100);
    assert.equal(shadow.nCopies, 99);
    assert.equal(new Set(open.map(({ pages: [first] }) => first)).size, 1);
  });

  test("within a group", () => {
    const { pages } = new Shadow(4);
    for (const group of ["", "a", "b"]) {
      const sequence = pages.open(idsOf(70), { group });
      assert.equal(sequence.length, 0);
      if (group === "b") continue;
      sequence.reserve(70);
      sequence.commit(idsOf(70));
      sequence.close();
    }
    assert.deepEqual([pages.count(idsOf(70)), pages.count(idsOf(70), "a"), pages.count(idsOf(70), "b")], [70, 70, 0]);
    assert.equal(pages.open([], { isPrivate: true }).length, 0);
    pages.discard(idsOf(70), 10, {}, "a");
    assert.equal(pages.open(idsOf(70), { group: "a" }).length, 70);
  });

  test("who goes on at the end of a page that nobody writes copies nothing", () => {
    const shadow = new Shadow(4);
    for (let n = 0; n < 100; n++) {
      const sequence = shadow.pages.open(idsOf(n));
      shadow.append(sequence, [n]);
      shadow.check(sequence);
      sequence.close();
    }
    assert.deepEqual([shadow.nCopies, shadow.pages.nFree], [0, 2]);
  });
});

describe("room", () => {
  test("what was not used for longest goes first, from its end", () => {
    const shadow = new Shadow(4);
    for (const from of [0, 1000]) {
      const sequence = shadow.pages.open([]);
      shadow.append(sequence, idsOf(128, from));
      sequence.close();
    }
    shadow.pages.open(idsOf(128)).close();
    const other = shadow.pages.open([]);
    shadow.append(other, idsOf(10, 2000));
    assert.deepEqual([shadow.pages.count(idsOf(128)), shadow.pages.count(idsOf(128, 1000))], [128, 64]);
  });

  test("never those in use: then it is refused, and a page that another gives back serves", () => {
    const shadow = new Shadow(2),
      [a, b] = [shadow.pages.open([]), shadow.pages.open([])];
    shadow.append(a, idsOf(64));
    shadow.append(b, idsOf(64, 1000));
    assert.throws(() => a.reserve(1), { code: "model/context-full", message: /all its 128 positions.*kvPositions/ });
    shadow.check(a);
    b.close();
    shadow.append(a, [64]);
    shadow.check(a);
  });

  test("one sequence that has every page may change its last one", () => {
    const shadow = new Shadow(2),
      sequence = shadow.pages.open([]);
    shadow.append(sequence, idsOf(120));
    sequence.close();
    const again = shadow.pages.open([...idsOf(100), 999]);
    assert.equal(again.length, 100);
    shadow.append(again, [999, 998]);
    shadow.check(again);
    assert.equal(shadow.nCopies, 0);
  });

  test("pages of a private sequence are free afterwards, unless another goes on with them", () => {
    const shadow = new Shadow(4),
      own = shadow.pages.open([], { isPrivate: true, group: "" });
    shadow.append(own, idsOf(100));
    const other = shadow.pages.open(idsOf(70));
    assert.equal(other.length, 70);
    own.close();
    assert.equal(shadow.pages.nFree, 2);
    shadow.check(other);
    other.close();
    const alone = shadow.pages.open([], { isPrivate: true });
    shadow.append(alone, idsOf(100, 1000));
    alone.truncate(0);
    assert.equal(shadow.pages.nFree, 2);
  });

  test("what was truncated stays cached, unless it is discarded or another goes on with it", () => {
    const shadow = new Shadow(4),
      author = {},
      sequence = shadow.pages.open([], { author });
    shadow.append(sequence, idsOf(130));
    sequence.truncate(64);
    assert.deepEqual([shadow.pages.nFree, shadow.pages.count(idsOf(130))], [1, 130]);
    shadow.append(sequence, idsOf(66, 1000));
    const all = [...idsOf(64), ...idsOf(66, 1000)];
    shadow.pages.discard(all, 70, author);
    assert.equal(shadow.pages.count(all), 130, "in use");
    sequence.close();
    shadow.pages.discard(all, 70, {});
    assert.equal(shadow.pages.count(all), 130, "of another");
    shadow.pages.discard(all, 70, author);
    assert.equal(shadow.pages.count(all), 70);
    const other = shadow.pages.open(all);
    shadow.pages.discard(all, 0, author);
    shadow.check(other);
    assert.equal(other.length, 70);
  });

  test("what was only reserved is given back", () => {
    const { pages } = new Shadow(3),
      sequence = pages.open([]);
    sequence.reserve(150);
    assert.equal(pages.nFree, 0);
    sequence.close();
    sequence.close();
    assert.equal(pages.nFree, 3);
  });
});

test("random sequences that begin alike, fork, go back, close: each reads what it wrote", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const below = random(seed),
      shadow = new Shadow(3 + below(20)),
      open: Sequence[] = [],
      authors = [{}, {}, {}, undefined],
      groups = [undefined, "", "other"],
      known: (readonly number[])[] = [[]];
    for (let turn = 0; turn < 120; turn++) {
      const sequence = open[below(open.length + 1)];
      const what = below(10);
      if (sequence === undefined || what === 0) {
        const like = known[below(known.length)]!;
        open.push(
          shadow.pages.open(like.slice(0, below(like.length + 1)), {
            isPrivate: below(8) === 0,
            author: authors[below(4)],
            group: groups[below(3)],
          }),
        );
      } else if (what === 1) {
        known.push(sequence.ids);
        sequence.close();
        open.splice(open.indexOf(sequence), 1);
      } else if (what === 2) {
        known.push(sequence.ids);
        const length = below(sequence.length + 1);
        if (below(2) === 0) sequence.truncate(length);
        else shadow.pages.discard(sequence.ids, length, authors[below(3)] ?? {}, sequence.group);
      } else if (what === 3) {
        open.push(shadow.pages.open(sequence.ids));
      } else {
        const n = [1, 1, 2, 30, 64, 90][below(6)]!;
        try {
          // Few different ids, so that paths meet.
          shadow.append(
            sequence,
            Array.from({ length: n }, () => (below(40) === 0 ? 1 : 0)),
          );
        } catch (error) {
          if (!(error instanceof OnebitError && error.code === "model/context-full")) throw error;
        }
      }
      for (const each of open) shadow.check(each);
    }
    for (const sequence of open) sequence.close();
    const whole = shadow.pages.open([]);
    shadow.append(whole, idsOf(shadow.pages.nPages * PAGE, 5000));
    shadow.check(whole);
  }
});
