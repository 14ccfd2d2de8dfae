/** What the benchmarks write of what they measured: tables, chart and JSON, from made-up figures. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decodeChart } from "../../benchmarks/suite/decode-chart.ts";
import { LLAMA_CPP, WLLAMA } from "../../benchmarks/suite/engine-names.ts";
import { resultsMarkdown } from "../../benchmarks/suite/markdown.ts";
import { pieceTasks } from "../../benchmarks/suite/pieces.ts";
import type { Piece, PieceData } from "../../benchmarks/suite/results.ts";
import { type Engine, type Speed, speedRatio, takeTurns } from "../../benchmarks/suite/turns.ts";

const work = { file: "x.gguf", threads: 1, promptTokens: 64, tokens: 48, repeats: 2 };
const speed = (promptTokensPerSecond: number, tokensPerSecond: number): Speed => ({
  loadMs: 1000,
  promptTokensPerSecond,
  tokensPerSecond,
});
const result = (engine: string, ...rounds: Speed[]) => ({ engine, work, speed: rounds[rounds.length >> 1], rounds });

const report = {
  file: "2b4t.gguf",
  variant: "relaxed",
  threads: 1,
  rows: 1,
  headRows: 1,
  position: 64,
  kv: "f32",
  isCached: false,
  bandwidth: 12.5,
  wholeMs: 50,
  totalMs: 51,
  kinds: [
    {
      name: "matmul ffn_down",
      bytes: 30 * 4_423_680,
      weights: 30 * 17_694_720,
      count: 30,
      milliseconds: 20,
      share: 0.4,
      gigabytesPerSecond: 6.6,
    },
    {
      name: "matmul attn_output",
      bytes: 30 * 1_638_400,
      weights: 30 * 6_553_600,
      count: 30,
      milliseconds: 6,
      share: 0.12,
      gigabytesPerSecond: 8.2,
    },
    { name: "norm", bytes: 0, weights: 0, count: 61, milliseconds: 1, share: 0.02, gigabytesPerSecond: 0 },
  ],
};

/** One of every kind. */
const samples: readonly PieceData[] = [
  {
    kind: "models",
    model: "2b4t",
    modelBytes: 815e6,
    threads: 1,
    results: [
      result("onebit, Node 24", speed(40, 20), speed(50, 20), speed(44, 22)),
      result(LLAMA_CPP, speed(40, 10), speed(40, 8), speed(40, 10)),
      { ...result(WLLAMA, speed(2, 1.25)), work: { ...work, promptTokens: 8, tokens: 3 } },
    ],
  },
  { kind: "models", model: "2b4t", modelBytes: 815e6, threads: 2, results: [result("onebit, Node 24", speed(80, 36))] },
  {
    kind: "sizes",
    model: "2b4t",
    rows: [{ nLayers: 6, nVocab: 128256, modelBytes: 380e6, threads: 1, tokensPerSecond: 40 }],
  },
  { kind: "positions", model: "2b4t", rows: [{ threads: 1, kv: "q8", position: 4000, tokensPerSecond: 12.34 }] },
  {
    kind: "prompts",
    rows: [
      { model: "bonsai-1.7b", threads: 2, promptTokens: 1000, onebit: 100, peer: 50 },
      { model: "bonsai-1.7b", threads: 2, promptTokens: 64, onebit: 100, peer: undefined },
    ],
  },
  {
    kind: "products",
    model: "2b4t",
    rows: [{ name: "ffn_down", inputs: 6912, outputs: 2560, rows: 64, threads: 1, onebit: 80, peer2: 4, peer4: 20 }],
  },
  {
    kind: "profile",
    model: "2b4t",
    reports: [report, { ...report, threads: 2 }, { ...report, isCached: true }, { ...report, rows: 64 }],
  },
  { kind: "loading", rows: [{ model: "2b4t", modelBytes: 815e6, engine: "onebit, Node 24", loadMs: 815 }] },
  { kind: "package-sizes", rows: [{ name: "library", bytes: 200_000, gzipBytes: 61_234 }] },
  {
    kind: "training",
    report: {
      machine: { cpu: "cpu", nCpus: 2, node: "v20", loadAverage: 0, clock: "wall" },
      contestants: ["onebit, training kernels"],
      agreement: [],
      products: [],
      steps: [],
      enwik8: [],
    },
  },
];
const pieces = samples.map(
  (data): Piece => ({
    name: data.kind,
    isQuick: false,
    date: "2026-01-02T03:04:05.000Z",
    seconds: 9,
    versions: { onebit: "abc1234" },
    data,
    machine: { cpu: "A processor", nCpus: 2, memoryBytes: 2 ** 34, os: "Linux 6", loadAverage: 0.1 },
    absent: data.kind === "models" && data.threads === 2 ? [{ name: WLLAMA, reason: "no Chromium" }] : [],
  }),
);

describe("Markdown", () => {
  const markdown = resultsMarkdown(pieces),
    lines = markdown.split("\n");

  test("has every cell of every row", () => {
    for (const [i, line] of lines.entries()) {
      if (!line.startsWith("|---")) continue;
      const nCells = line.split("|").length;
      for (let at = i - 1; lines[at]?.startsWith("|"); at++)
        assert.equal(lines[at].split("|").length, nCells, lines[at]);
    }
    assert.doesNotMatch(markdown, /undefined|NaN|Infinity|\[object/);
  });

  test("compares with medians of the rounds' ratios", () => {
    assert.ok(
      markdown.includes(
        "| BitNet 2B4T, TQ2_0 with a Q6_K head | 1 | onebit, Node 24 | 50.0 | 20.0 | 1.10× | 2.20× | 20.00× | 16.00× |",
      ),
      markdown,
    );
    assert.ok(markdown.includes(`${WLLAMA} (prompt of 8, 3 tokens, 1 round)`));
  });

  test("says what was measured, where, and what was absent", () => {
    for (const part of [
      "A processor, 2 processors, 16 GiB of memory",
      "2026-01-02; onebit abc1234",
      `- ${WLLAMA} (models): no Chromium`,
    ]) {
      assert.ok(markdown.includes(part), part);
    }
    assert.ok(markdown.includes("| 1000 | 100.0 | 10.0 s | 50.0 | 20.0 s | 2.00× |"));
    assert.ok(markdown.includes("| 64 | 1 | 80.0 | 4.00 | 20.0 | 4.00× |"));
    assert.ok(markdown.includes("| library | 200,000 | 61,234 |"));
    assert.ok(markdown.includes("53 %"), "6.6 of 12.5 GB/s");
  });

  test("shows from the cache only what fits there", () => {
    const cached = lines.filter((line) => line.includes("| cache | 1 |"));
    assert.equal(cached.length, 1);
    assert.match(cached[0], /attn_output/);
  });
});

describe("chart", () => {
  const svg = decodeChart(pieces);

  test("has a bar for each figure, a legend, units, and both colour schemes", () => {
    assert.equal(svg.match(/<rect /g)?.length, 3 + 4);
    for (const part of [
      "onebit, Node 24",
      LLAMA_CPP,
      WLLAMA,
      "tokens/s",
      "prefers-color-scheme: dark",
      ">36.0<",
      ">absent<",
    ])
      assert.ok(svg.includes(part), part);
    assert.doesNotMatch(svg, /undefined|NaN|Infinity|<script|href/);
  });

  test("closes what it opens", () => {
    for (const name of ["svg", "style", "text"])
      assert.equal(svg.split(`<${name}`).length, svg.split(`</${name}>`).length, name);
  });

  test("draws an empty one of nothing", () => assert.match(decodeChart([]), /^<svg [^]*<\/svg>\n$/));
});

describe("turns", () => {
  const engine = (name: string, measure: Engine["measure"], more: Partial<Engine> = {}): Engine => ({
    name,
    measure,
    async rest() {},
    ...more,
  });

  test("alternate; one that fails is absent, with its reason, and the others go on", async () => {
    const order: string[] = [];
    const fine = (name: string, more?: Partial<Engine>) =>
      engine(name, async ({ promptTokens }) => (order.push(`${name}${promptTokens}`), speed(1, 2)), more);
    const engines = [
      fine("a"),
      engine("b", async () => Promise.reject(new Error("not here\nat all"))),
      fine("c", { maxRounds: 1, reduce: (asked) => ({ ...asked, promptTokens: 8 }) }),
    ];
    const { results, absent } = await takeTurns(engines, work, 2, () => {});
    assert.deepEqual(order, ["a64", "c8", "a64"]);
    assert.deepEqual(
      results.map(({ engine: name, rounds }) => [name, rounds.length]),
      [
        ["a", 2],
        ["c", 1],
      ],
    );
    assert.deepEqual(absent, [{ name: "b", reason: "not here" }]);
    assert.equal(speedRatio(results[0], results[1], "tokensPerSecond"), 1);
    assert.equal(speedRatio(results[0], undefined, "tokensPerSecond"), undefined);
  });
});

test("pieces have names of their own", () =>
  assert.equal(new Set(pieceTasks.map(({ name }) => name)).size, pieceTasks.length));
