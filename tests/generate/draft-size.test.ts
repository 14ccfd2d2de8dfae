/** How many guesses are tried, under a clock of the test's own: what pays here, and little where nothing does. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DRAFT_IDS_MAX, DraftSizer } from "../../src/generate/draft-size.ts";
import { LookupDrafter } from "../../src/generate/lookup.ts";
import { type Random, seededRandom } from "../synthetic/random.ts";

/** Milliseconds of a walk, by its rows. */
type Cost = (rows: number) => number;

/** Rows are as dear as walks, or nearly free, or a size that is larger than a step is dear. */
const COSTS: Readonly<Record<string, Cost>> = {
  "rows that cost a walk each": (rows) => rows,
  "rows that cost more than a walk": (rows) => 1.3 * rows,
  "rows that cost most of a walk": (rows) => 0.4 + 0.6 * rows,
  "rows that cost a quarter of a walk": (rows) => 0.75 + 0.25 * rows,
  "walks of four rows in one": (rows) => (rows === 1 ? 1 : 1.5 * Math.ceil(rows / 4)),
};

interface Outcome {
  /** Against a walk an id. */
  readonly speed: number;
  readonly walks: number;
  readonly drafted: number;
  readonly accepted: number;
}

/** Decodes a given reply as a generation would. */
function decode(
  prompt: readonly number[],
  reply: readonly number[],
  cost: Cost,
  sizer: DraftSizer,
  noise: () => number = () => 1,
): Outcome {
  const drafter = new LookupDrafter(prompt.length + reply.length);
  drafter.reset(prompt);
  sizer.begin();
  let ms = 0,
    walks = 0,
    drafted = 0,
    accepted = 0;
  const take = (id: number): void => {
    const { matchLength } = drafter,
      isTrue = drafter.push(id);
    if (matchLength > 0) sizer.guessed(matchLength, isTrue);
  };
  for (let at = 0; at < reply.length; ) {
    take(reply[at++]);
    const draft = drafter.draft(
      sizer.sizeFor(drafter.matchLength, Math.max(0, Math.min(DRAFT_IDS_MAX, reply.length - at))),
    );
    const tookMs = cost(draft.length + 1) * noise();
    ms += tookMs;
    if (draft.length > 0) walks++;
    drafted += draft.length;
    let nTrue = 0;
    for (; nTrue < draft.length && draft[nTrue] === reply[at]; nTrue++) take(reply[at++]);
    sizer.walked(draft.length + 1, tookMs, nTrue + 1);
    accepted += nTrue;
  }
  return { speed: (reply.length * cost(1)) / ms, walks, drafted, accepted };
}

const idsBelow = (n: number, count: number, random: Random): number[] =>
  Array.from({ length: count }, () => random.u32() % n);

/** Pieces of the prompt, with ids of its own between. */
function quoting(prompt: readonly number[], nPieces: number, random: Random): number[] {
  return Array.from({ length: nPieces }, () => {
    const begin = random.u32() % (prompt.length - 60);
    return [...prompt.slice(begin, begin + 60), ...idsBelow(30_000, 4, random)];
  }).flat();
}

describe("the size of a draft", () => {
  test("is none before walks were measured, with a clock that stands still, and without a match", () => {
    const sizer = new DraftSizer();
    assert.equal(sizer.sizeFor(32, 14), 0);
    for (let i = 0; i < 3; i++) sizer.walked(1, 0, 1);
    assert.equal(sizer.sizeFor(32, 14), 0);
    for (let i = 0; i < 9; i++) sizer.walked(1, 10, 1);
    assert.ok(sizer.sizeFor(32, 14) > 0);
    assert.equal(sizer.sizeFor(0, 14), 0);
    assert.equal(sizer.sizeFor(32, 0), 0);
    assert.equal(sizer.sizeFor(32, -1), 0);
  });

  test("is never above what is asked for", () => {
    const random = seededRandom(5),
      sizer = new DraftSizer();
    for (let i = 0; i < 5000; i++) {
      const max = random.u32() % 15,
        length = random.u32() % 33,
        size = sizer.sizeFor(length, max);
      assert.ok(size >= 0 && size <= max && size <= DRAFT_IDS_MAX);
      sizer.walked(size + 1, (random.u32() % 100) / 10, 1 + (random.u32() % (size + 1)));
      if (length > 0) sizer.guessed(length, random.u32() % 4 > 0);
    }
  });

  test("grows to the largest where rows cost little and guesses come true", () => {
    const loop = Array.from({ length: 2000 }, (_, i) => i % 11);
    const outcome = decode([], loop, COSTS["rows that cost a quarter of a walk"], new DraftSizer());
    assert.ok(outcome.speed > 3, JSON.stringify(outcome));
    assert.equal(outcome.accepted, outcome.drafted);
    assert.ok(outcome.drafted / outcome.walks > 12, JSON.stringify(outcome));
  });

  test("finds the rows that walk together", () => {
    const random = seededRandom(2),
      sizer = new DraftSizer();
    for (let i = 0; i < 400; i++) {
      const size = i % 8 < 2 ? 0 : sizer.sizeFor(9, 14);
      sizer.walked(size + 1, COSTS["walks of four rows in one"](size + 1), Math.min(size + 1, 3));
      for (let n = 0; n < 4; n++) sizer.guessed(9 + n, random.u32() % 10 < 7);
    }
    // 1 + 0.7 + 0.7² + 0.7³ ids for 1.5 walks; twice the rows give 1.2 more for twice the time.
    assert.equal(sizer.sizeFor(9, 14), 3);
  });

  test("gains 1.4 times where the reply repeats the prompt and a row costs a quarter of a walk", () => {
    const random = seededRandom(11),
      prompt = idsBelow(30_000, 800, random);
    const { speed } = decode(
      prompt,
      quoting(prompt, 20, random),
      COSTS["rows that cost a quarter of a walk"],
      new DraftSizer(),
    );
    assert.ok(speed > 1.9, `${speed}`);
  });

  for (const [name, cost] of Object.entries(COSTS)) {
    test(`loses at most 2 in 100 with ${name}, whatever the reply`, () => {
      const random = seededRandom(7),
        prompt = idsBelow(30_000, 800, random),
        noise = () => 0.9 + (0.2 * random.u32()) / 2 ** 32;
      const replies: Readonly<Record<string, readonly number[]>> = {
        "ids of a large vocabulary": idsBelow(30_000, 1000, random),
        bytes: Array.from({ length: 1000 }, () => Math.floor(256 ** (random.u32() / 2 ** 32))),
        "four ids": idsBelow(4, 1000, random),
        quotes: quoting(prompt, 15, random),
        "quotes, then none": [...quoting(prompt, 8, random), ...idsBelow(30_000, 500, random)],
        // What followed a pair never follows it again.
        "false friends": Array.from({ length: 1000 }, (_, i) => (i % 3 < 2 ? i % 3 : 10 + i)),
      };
      const sizer = new DraftSizer();
      for (const [what, reply] of Object.entries(replies)) {
        const outcome = decode(prompt, reply, cost, sizer, noise);
        assert.ok(outcome.speed > 0.98, `${what}: ${JSON.stringify(outcome)}`);
      }
    });
  }

  test("ends what does not pay even if its guesses seem to come true", () => {
    const sizer = new DraftSizer(),
      cost = COSTS["rows that cost a quarter of a walk"];
    let lost = 0,
      nWalks = 0;
    for (const givesAll of [true, false]) {
      for (let i = 0; i < 5000; i++) {
        sizer.guessed(32, true);
        const rows = sizer.sizeFor(32, DRAFT_IDS_MAX) + 1,
          nIds = givesAll ? rows : 1;
        sizer.walked(rows, cost(rows), nIds);
        if (givesAll) continue;
        lost += cost(rows) - nIds;
        nWalks++;
      }
    }
    // What was gained before, at most 64 walks, one draft more, and a hundredth of the time.
    assert.ok(lost < 64 + 14 + (1.5 * nWalks) / 100, `${lost}`);
  });

  test("follows a machine that becomes slower or faster", () => {
    const loop = Array.from({ length: 6000 }, (_, i) => i % 11),
      sizer = new DraftSizer();
    const rowCost =
      (share: number, factor: number): Cost =>
      (rows) =>
        factor * (1 + share * (rows - 1));
    decode([], loop, rowCost(0.2, 1), sizer);
    assert.ok(decode([], loop, rowCost(0.2, 10), sizer).speed > 3);
    assert.ok(decode([], loop, rowCost(0.2, 1), sizer).speed > 3);
    assert.ok(decode([], loop, rowCost(1.2, 1), sizer).speed > 0.95);
    assert.ok(decode([], loop, rowCost(1.2, 1), sizer).speed > 0.98);
    assert.ok(decode([], loop, rowCost(0.2, 1), sizer).speed > 2);
  });
});
