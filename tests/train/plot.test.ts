/** Plots: what is drawn where, round ticks, and texts that cannot break out. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OnebitError } from "../../src/core/errors.ts";
import { lossPlotSvg } from "../../src/train/loss-plot.ts";
import type { Curve } from "../../src/train/loss-plot.ts";
import { roundTicks } from "../../src/train/plot-scale.ts";
import { lossPlotText } from "../../src/train/terminal-plot.ts";

const isBadOption = (error: unknown): boolean => error instanceof OnebitError && error.code === "train/bad-option";
const curve = (name: string, ...points: [number, number][]): Curve => ({ name, points });
const falling = curve("training", [0, 4], [50, 2], [100, 1]);

describe("ticks", () => {
  const cases: [min: number, max: number, n: number, labels: string[]][] = [
    [0, 100, 5, ["0", "20", "40", "60", "80", "100"]],
    [0, 25000, 6, ["0", "5k", "10k", "15k", "20k", "25k"]],
    [0, 3e6, 4, ["0", "1M", "2M", "3M"]],
    [0, 3e7, 3, ["0", "10M", "20M", "30M"]],
    [0, 9000, 5, ["0", "2000", "4000", "6000", "8000"]],
    [1.31, 5.6, 5, ["2", "3", "4", "5"]],
    [0.123, 0.129, 3, ["0.124", "0.126", "0.128"]],
    [0, 1, 2, ["0.0", "0.5", "1.0"]],
    [0.9, 1.9, 1, ["1"]],
    [-2, 2, 4, ["-2", "-1", "0", "1", "2"]],
    [1e-7, 3e-7, 2, ["0.0000001", "0.0000002", "0.0000003"]],
  ];
  for (const [min, max, n, labels] of cases) {
    test(`from ${min} to ${max}`, () =>
      assert.deepEqual(
        roundTicks(min, max, n).map(({ label }) => label),
        labels,
      ));
  }

  test("lie within the range, rise, and are at most as many as asked, for ranges of any size", () => {
    for (let exponent = -12; exponent <= 14; exponent++) {
      for (const mantissa of [1, 1.7, 3.3, 9.99]) {
        const span = mantissa * 10 ** exponent,
          min = span / 3,
          max = min + span;
        const ticks = roundTicks(min, max, 5).map(({ value }) => value);
        assert.ok(ticks.length >= 2 && ticks.length <= 6, `${span}: ${ticks.join(" ")}`);
        assert.ok(
          ticks.every((value, i) => value >= min && value <= max && (i === 0 || value > ticks[i - 1])),
          `${span}: ${ticks.join(" ")}`,
        );
      }
    }
    for (const [min, max] of [
      [1, 1],
      [2, 1],
      [0, Infinity],
      [NaN, 1],
    ])
      assert.throws(() => roundTicks(min, max, 4), isBadOption);
  });
});

describe("the image", () => {
  const svg = lossPlotSvg([falling, curve("validation", [0, 4], [100, 1.5])], { title: "A run" });

  test("describes itself for those who cannot see it", () => {
    assert.match(svg, /role="img" aria-labelledby="loss-plot-title loss-plot-desc"/);
    assert.match(svg, /<title id="loss-plot-title">A run<\/title>/);
    assert.ok(
      svg.includes(
        '<desc id="loss-plot-desc">training: 4 at 0, 1 at 100, lowest 1 at 100. ' +
          "validation: 4 at 0, 1.5 at 100, lowest 1.5 at 100.</desc>",
      ),
      svg,
    );
  });

  test("draws each curve from corner to corner of its axes, where it belongs", () => {
    const paths = [...svg.matchAll(/<path class="loss-plot-line loss-plot-(\d)" d="(M[^h]*?)"/g)].map(([, i, d]) => [
      i,
      d,
    ]);
    // Axes from x 64 to 692 and y 348 to 44: loss 4 at the top, 1 at the bottom, 2 two thirds down.
    assert.deepEqual(paths, [
      ["0", "M64 44L378 246.7L692 348"],
      ["1", "M64 44L692 297.3"],
    ]);
  });

  test("has ticks, labels, a legend, and colours for dark pages", () => {
    for (const label of ["0", "20", "100", "1.5", "4.0", "step", "loss (nats per token)", "training", "validation"])
      assert.ok(svg.includes(`>${label}</text>`), label);
    assert.match(svg, /@media \(prefers-color-scheme:dark\)/);
    assert.equal(svg.match(/h28"/g)?.length, 2);
  });

  test("escapes text, and replaces what XML may not hold", () => {
    const hostile = `</text><script>alert("1")</script>&'\u0000\u001b\ud800 é 😀`;
    const image = lossPlotSvg([curve(hostile, [0, 1])], {
      title: hostile,
      xLabel: hostile,
      yLabel: hostile,
      description: hostile,
    });
    assert.ok(
      !image.includes("<script") && !/[\u0000-\u0008\u001b]/.test(image) && Buffer.from(image).toString() === image,
    );
    assert.ok(
      image.includes("&lt;/text&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;\ufffd\ufffd\ufffd é 😀"),
    );
    assert.deepEqual(image.match(/<(?!\/|[a-z]+[ >])/g), null);
  });

  test("breaks a line at NaN, and shows a lone point", () => {
    const image = lossPlotSvg([curve("a", [0, 1], [10, 2], [20, NaN], [30, 1.5], [40, Infinity], [90, 1], [100, 2])], {
      title: "t",
    });
    const d = /loss-plot-0" d="([^"]*)"/.exec(image)?.[1] ?? "";
    assert.equal(d.match(/M/g)?.length, 3);
    assert.match(d, /M249\.4 196h6/);
    assert.ok(!/NaN|Infinity/.test(image));
  });

  test("of a million points is small, and keeps its peaks and its dips", () => {
    const rare = new Map([
      [500_003, 9],
      [700_003, -9],
    ]);
    const points = Array.from({ length: 1_000_000 }, (_, i): [number, number] => [i, rare.get(i) ?? 1 + (i % 7) / 10]);
    const image = lossPlotSvg([curve("a", ...points.slice(0, 0)), { name: "b", points }], { title: "t" });
    assert.ok(image.length < 60_000, `${image.length}`);
    assert.match(image, /L378(?:\.\d)? 44L/);
    assert.match(image, /L503(?:\.\d)? 348L/);
  });

  test("of nothing, of one point and of flat lines is drawn", () => {
    for (const curves of [
      [],
      [curve("a")],
      [curve("a", [5, 2])],
      [curve("a", [0, 0], [9, 0])],
      [curve("a", [0, NaN])],
      [curve("a", [0, 1e15], [1, 1e15 + 1])],
    ]) {
      const image = lossPlotSvg(curves, { title: "t" });
      assert.ok(image.endsWith("</svg>\n") && !/NaN|Infinity|undefined/.test(image), JSON.stringify(curves));
    }
  });

  test("refuses invalid sizes and ids", () => {
    for (const options of [{ width: 10 }, { height: NaN }, { width: 1e6 }, { id: 'a" onload="' }, { id: "" }])
      assert.throws(() => lossPlotSvg([falling], { title: "t", ...options }), isBadOption);
  });
});

describe("in a terminal", () => {
  test("a falling line looks like one", () => {
    assert.equal(
      lossPlotText([curve("loss", [0, 4], [30, 0])], { width: 24, height: 8 }),
      [
        "4 ┤⠑⠢⢄⡀",
        "  │   ⠈⠑⠤⣀",
        "2 ┤       ⠉⠢⢄⡀",
        "  │          ⠈⠑⠢⣀",
        "  │              ⠉⠒⢄⡀",
        "0 ┤                 ⠈⠑⠢⢄",
        "  └─────────────────────",
        "   0             20",
        "  ⠤⠤ loss",
        "",
      ].join("\n"),
    );
  });

  test("several curves have different signs, or colours when asked", () => {
    const curves = [falling, curve("validation", [0, 1], [100, 4])];
    const plain = lossPlotText(curves, { width: 40, height: 8 });
    assert.match(plain, /•[^]*• training\n {2}× validation\n$/);
    assert.ok(!plain.includes("\u001b"));
    assert.match(
      lossPlotText(curves, { width: 40, height: 8, color: true }),
      /\u001b\[34m⠤⠤\u001b\[0m training\n {2}\u001b\[33m⠤⠤\u001b\[0m validation\n$/,
    );
  });

  test("fits its width and height, whatever the data", () => {
    for (const curves of [
      [],
      [falling],
      [curve("a", [5, 2])],
      [curve("x".repeat(500), [0, 1e15], [1, -1e15], [2, NaN], [3, 0.1])],
    ]) {
      for (const [width, height] of [
        [24, 4],
        [80, 20],
        [33, 7],
      ]) {
        const lines = lossPlotText(curves, { width, height }).split("\n").slice(0, -1);
        assert.equal(lines.length, height + curves.length);
        for (const line of lines) assert.ok([...line].length <= width, `${width}: ${line}`);
      }
    }
  });

  test("a name cannot control the terminal", () => {
    const text = lossPlotText([curve("a\u001b[2Jb\nc\u009b", [0, 1])], { width: 40, height: 8 });
    assert.ok(text.endsWith("  ⠤⠤ a\ufffd[2Jb\ufffdc\ufffd\n"));
  });

  test("refuses invalid sizes", () => {
    for (const size of [
      { width: 10, height: 8 },
      { width: 40, height: 3 },
      { width: 40.5, height: 8 },
      { width: 1e9, height: 8 },
    ])
      assert.throws(() => lossPlotText([falling], size), isBadOption);
  });
});
