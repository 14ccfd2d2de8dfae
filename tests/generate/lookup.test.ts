/** Guesses from n-grams: the longest match, its latest place, within bounds. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LookupDrafter } from "../../src/generate/lookup.ts";
import { seededRandom } from "../synthetic/random.ts";

function drafterOf(ids: readonly number[], capacity = ids.length + 8): LookupDrafter {
  const drafter = new LookupDrafter(capacity);
  drafter.reset(ids);
  return drafter;
}

describe("a draft", () => {
  test("is what followed the last ids when they stood before", () => {
    const drafter = drafterOf([7, 3, 9, 4, 1, 8, 2, 7, 3, 9, 4]);
    assert.equal(drafter.matchLength, 4);
    assert.deepEqual(drafter.draft(3), [1, 8, 2]);
  });

  test("needs two ids that stood before", () => {
    assert.deepEqual(drafterOf([1, 2, 3, 4, 9, 2]).draft(4), []);
    assert.equal(drafterOf([1, 2, 3, 4, 9, 2]).matchLength, 0);
    assert.deepEqual(drafterOf([5]).draft(4), []);
    assert.deepEqual(drafterOf([]).draft(4), []);
  });

  test("follows the longest match, and of equal ones the latest", () => {
    assert.deepEqual(drafterOf([1, 2, 3, 4, 50, 0, 3, 4, 60, 0, 1, 2, 3, 4]).draft(1), [50]);
    assert.deepEqual(drafterOf([0, 3, 4, 50, 9, 3, 4, 60, 8, 3, 4]).draft(1), [60]);
  });

  test("goes on in itself when what repeats is shorter", () => {
    assert.deepEqual(drafterOf([1, 2, 3, 1, 2]).draft(7), [3, 1, 2, 3, 1, 2, 3]);
    assert.deepEqual(drafterOf([4, 4, 4]).draft(3), [4, 4, 4]);
  });

  test("grows with each id that was guessed, and is looked up again after another", () => {
    const drafter = drafterOf([1, 2, 3, 4, 5, 6, 7, 1, 2], 20);
    assert.deepEqual([drafter.push(3), drafter.matchLength, drafter.draft(2)], [true, 3, [4, 5]]);
    assert.deepEqual([drafter.push(9), drafter.matchLength, drafter.draft(2)], [false, 0, []]);
    for (const id of [5, 6]) drafter.push(id);
    assert.deepEqual([drafter.matchLength, drafter.draft(3)], [2, [7, 1, 2]]);
  });

  test("forgets all when it starts over", () => {
    const drafter = drafterOf([1, 2, 3, 1, 2]);
    drafter.reset([8, 1, 2]);
    assert.deepEqual(drafter.draft(4), []);
    drafter.reset([6, 7, 6, 7]);
    assert.deepEqual(drafter.draft(2), [6, 7]);
  });

  test("stands after the last ids, wherever they were, for random ids", () => {
    for (const vocabSize of [2, 4, 40, 1000]) {
      const random = seededRandom(vocabSize),
        ids = Array.from({ length: 300 }, () => random.u32() % vocabSize),
        drafter = new LookupDrafter(3000);
      drafter.reset(ids);
      let nFound = 0;
      for (let i = 0; i < 2500; i++) {
        const guess = drafter.draft(1),
          id = random.u32() % 3 === 0 ? random.u32() % vocabSize : (guess[0] ?? random.u32() % vocabSize);
        assert.equal(drafter.push(id), guess[0] === id);
        ids.push(id);
        // At the latest, a pair that stood before is found; unless another n-gram with its hash stood since.
        const n = drafter.matchLength;
        assert.equal(n, n === 0 ? 0 : Math.max(n, 2));
        assert.equal(n === 0, drafter.draft(1).length === 0);
        if (n === 0) continue;
        nFound++;
        const tail = [...ids.slice(ids.length - n), ...drafter.draft(1)].join();
        assert.ok(`${ids.join()},`.includes(`${tail},`), `${tail} is none of the text`);
      }
      if (vocabSize <= 40) assert.ok(nFound > 1500, `${nFound} of ids below ${vocabSize}`);
    }
  });

  test("of a text above the table's size is found too", () => {
    const random = seededRandom(3),
      ids = Array.from({ length: 100_000 }, () => random.u32() % 50_000);
    const drafter = drafterOf([...ids, ...ids.slice(-500, -400)]);
    assert.deepEqual(drafter.draft(8), ids.slice(-400, -392));
  });
});
