/**
 * Curves of a training run as an SVG image: one file, no script, readable on light and dark pages and without colours.
 *
 * @module
 */
import { type OptionTable, TEXT, check, checkOptions, kind, number, required } from "../core/options.ts";
import { CURVES, axesOf, isDrawable } from "./plot-scale.ts";
import type { Axis, Curve } from "./plot-scale.ts";

export type { Curve } from "./plot-scale.ts";

/** Options of {@link lossPlotSvg}. */
export interface LossPlotOptions {
  /** What the image shows. */
  readonly title: string;
  /** Below the axis of steps. Default "step". */
  readonly xLabel?: string;
  /** Beside the axis of losses. Default "loss (nats per token)". */
  readonly yLabel?: string;
  /** For those who do not see the image. Default: where each curve begins, ends and is lowest. */
  readonly description?: string;
  /** In pixels, 200 to 4000. Default 720. */
  readonly width?: number;
  /** In pixels, 150 to 4000. Default 400. */
  readonly height?: number;
  /**
   * Begins the ids and classes in the image; images in one page need different ones. A letter, then letters, digits,
   * `-`. Default "loss-plot".
   */
  readonly id?: string;
}

const LOSS_PLOT_OPTIONS: OptionTable<LossPlotOptions> = {
  title: required(TEXT),
  xLabel: TEXT,
  yLabel: TEXT,
  description: TEXT,
  width: number({ min: 200, max: 4000 }),
  height: number({ min: 150, max: 4000 }),
  id: kind<string>(
    'a letter, then letters, digits and "-"',
    (value) => typeof value === "string" && /^[A-Za-z][A-Za-z0-9-]*$/.test(value),
  ),
};

interface Frame {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

const MARGIN = { left: 64, top: 44, right: 28, bottom: 52 };
/** Least pixels between ticks: closer labels touch. */
const TICK_PIXELS = { x: 80, y: 45 };
/** About the width of a character of 12 pixels. */
const CHAR_PIXELS = 6.8;

/** Distinct for any colour vision (after Okabe and Ito), on white and near-black, and by their dashes. */
const STROKES: readonly { readonly light: string; readonly dark: string; readonly dash: string }[] = [
  { light: "#0072b2", dark: "#56b4e9", dash: "none" },
  { light: "#d55e00", dark: "#f0a04b", dash: "7 3" },
  { light: "#00795a", dark: "#2fc79a", dash: "2 3" },
  { light: "#a8487f", dark: "#e39ac4", dash: "9 3 2 3" },
];

/**
 * Curves as an SVG image: one file, no script, readable on light and dark pages and without colours.
 *
 * @throws OnebitError `train/bad-option`, `option/unknown`
 * @example
 * ```ts
 * import { lossPlotSvg } from "onebit/train";
 *
 * const points: [number, number][] = [[0, 5.5], [100, 2.5], [200, 2.1]];
 * console.log(lossPlotSvg([{ name: "training", points }], { title: "My model" }));
 * ```
 */
export function lossPlotSvg(given: readonly Curve[], givenOptions: LossPlotOptions): string {
  const curves = check("curves", given, CURVES, "train/bad-option"),
    options = checkOptions("lossPlotSvg", givenOptions, LOSS_PLOT_OPTIONS, { code: "train/bad-option" });
  const {
    title,
    xLabel = "step",
    yLabel = "loss (nats per token)",
    width = 720,
    height = 400,
    id = "loss-plot",
  } = options;
  const frame = { left: MARGIN.left, top: MARGIN.top, right: width - MARGIN.right, bottom: height - MARGIN.bottom };
  const { x, y } = axesOf(curves, {
    x: Math.max(2, Math.floor((frame.right - frame.left) / TICK_PIXELS.x)),
    y: Math.max(2, Math.floor((frame.bottom - frame.top) / TICK_PIXELS.y)),
  });
  const atX = scale(x, frame.left, frame.right),
    atY = scale(y, frame.bottom, frame.top);
  const description = options.description ?? describe(curves);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 ` +
      `0 ${width} ${height}" class="${id}" role="img" aria-labelledby="${id}-title ${id}-desc">`,
    `<title id="${id}-title">${escapeXml(title)}</title>`,
    `<desc id="${id}-desc">${escapeXml(description)}</desc>`,
    styleOf(id),
    `<rect class="${id}-page" width="${width}" height="${height}"/>`,
    `<text class="${id}-head" x="${frame.left}" y="26">${escapeXml(title)}</text>`,
    ...axesSvg(id, frame, { x, y }, { atX, atY }),
    `<text x="${(frame.left + frame.right) / 2}" y="${height - 12}" text-anchor="middle">${escapeXml(xLabel)}</text>`,
    `<text transform="translate(16 ${(frame.top + frame.bottom) / 2}) rotate(-90)" ` +
      `text-anchor="middle">${escapeXml(yLabel)}</text>`,
    ...curves.map(
      ({ points }, i) => `<path class="${id}-line ${id}-${i % STROKES.length}" d="${pathOf(points, atX, atY)}"/>`,
    ),
    ...legendSvg(id, frame, curves),
    "</svg>\n",
  ].join("\n");
}

function styleOf(id: string): string {
  const strokes = STROKES.map(({ light, dash }, i) => `.${id}-${i}{stroke:${light};stroke-dasharray:${dash}}`).join("");
  const darkStrokes = STROKES.map(({ dark }, i) => `.${id}-${i}{stroke:${dark}}`).join("");
  return `<style>
.${id} text{font:12px system-ui,"DejaVu Sans",sans-serif;fill:#24292f}
.${id} .${id}-head{font-size:15px;font-weight:600}
.${id}-page{fill:#fff}.${id}-box{fill:#fff;fill-opacity:.8}
.${id}-grid{stroke:#d8dee4;fill:none}.${id}-axis{stroke:#57606a;fill:none}
.${id}-line{fill:none;stroke-width:1.6;stroke-linejoin:round;stroke-linecap:round}
${strokes}
@media (prefers-color-scheme:dark){
.${id} text{fill:#e6edf3}.${id}-page,.${id}-box{fill:#0d1117}
.${id}-grid{stroke:#30363d}.${id}-axis{stroke:#8b949e}
${darkStrokes}}
</style>`;
}

function axesSvg(
  id: string,
  frame: Frame,
  axes: { x: Axis; y: Axis },
  { atX, atY }: { atX: Place; atY: Place },
): string[] {
  const { left, top, right, bottom } = frame;
  return [
    ...axes.y.ticks.map(({ value, label }) => {
      const at = pixel(atY(value));
      return (
        `<path class="${id}-grid" d="M${left} ${at}H${right}"/><text x="${left - 8}" y="${at}" dy="4" ` +
        `text-anchor="end">${label}</text>`
      );
    }),
    ...axes.x.ticks.map(({ value, label }) => {
      const at = pixel(atX(value));
      return (
        `<path class="${id}-axis" d="M${at} ${bottom}v5"/><text x="${at}" y="${bottom + 19}" ` +
        `text-anchor="middle">${label}</text>`
      );
    }),
    `<path class="${id}-axis" d="M${left} ${top}V${bottom}H${right}"/>`,
  ];
}

/** At the top right: falling curves leave it free. */
function legendSvg(id: string, { top, right }: Frame, curves: readonly Curve[]): string[] {
  if (curves.length === 0) return [];
  const names = curves.map(({ name }) => (name.length > 40 ? `${name.slice(0, 39)}…` : name));
  const textPixels = Math.max(...names.map((name) => name.length)) * CHAR_PIXELS;
  const left = Math.round(right - textPixels - 52);
  return [
    `<rect class="${id}-box" x="${left}" y="${top}" width="${right - left}" height="${curves.length * 18 + 8}"/>`,
    ...names.map((name, i) => {
      const y = top + 16 + i * 18;
      return (
        `<path class="${id}-line ${id}-${i % STROKES.length}" d="M${left + 6} ${y - 4}h28"/><text x="${left + 42}" ` +
        `y="${y}">${escapeXml(name)}</text>`
      );
    }),
  ];
}

type Place = (value: number) => number;

function scale({ min, max }: Axis, from: number, to: number): Place {
  return (value) => from + ((value - min) / (max - min)) * (to - from);
}

/**
 * The line through the points. Of many points in one pixel column it draws only the first, last, lowest and highest:
 * the same picture from a million points, in a few kilobytes.
 */
function pathOf(points: Curve["points"], atX: Place, atY: Place): string {
  const runs: Pixel[][] = [[]];
  for (const point of points) {
    if (isDrawable(point)) runs[runs.length - 1].push({ x: atX(point[0]), y: atY(point[1]) });
    else if (runs[runs.length - 1].length > 0) runs.push([]);
  }
  return runs
    .filter((run) => run.length > 0)
    .map(runPath)
    .join("");
}

interface Pixel {
  readonly x: number;
  readonly y: number;
}

function runPath(run: readonly Pixel[]): string {
  // A point without neighbours is a short dash: a line of length 0 is invisible.
  if (run.length === 1) return `M${pixel(run[0].x - 3)} ${pixel(run[0].y)}h6`;
  const kept: Pixel[] = [];
  for (let begin = 0, end = 0; begin < run.length; begin = end) {
    const column = Math.floor(run[begin].x);
    for (end = begin + 1; end < run.length && Math.floor(run[end].x) === column; ) end++;
    kept.push(...(end - begin <= 4 ? run.slice(begin, end) : extremes(run, begin, end)));
  }
  return kept.map(({ x, y }, i) => `${i === 0 ? "M" : "L"}${pixel(x)} ${pixel(y)}`).join("");
}

/** The first, lowest, highest and last of run[begin, end), in their order. */
function extremes(run: readonly Pixel[], begin: number, end: number): Pixel[] {
  let low = begin,
    high = begin;
  for (let i = begin; i < end; i++) {
    if (run[i].y < run[low].y) low = i;
    if (run[i].y > run[high].y) high = i;
  }
  return [...new Set([begin, low, high, end - 1])].sort((a, b) => a - b).map((i) => run[i]);
}

function describe(curves: readonly Curve[]): string {
  const sentences = curves.flatMap(({ name, points }) => {
    const drawn = points.filter(isDrawable);
    if (drawn.length === 0) return [`${name}: no values.`];
    const first = drawn[0],
      last = drawn[drawn.length - 1],
      low = drawn.reduce((a, b) => (b[1] < a[1] ? b : a));
    return [
      `${name}: ${short(first[1])} at ${short(first[0])}, ${short(last[1])} at ${short(last[0])}, ` +
        `lowest ${short(low[1])} at ${short(low[0])}.`,
    ];
  });
  return sentences.join(" ") || "No curves.";
}

function short(value: number): string {
  return String(Number(value.toPrecision(5)));
}

function pixel(value: number): string {
  return String(Number(value.toFixed(1)));
}

/** Text for XML 1.0: escapes markup, replaces forbidden characters. */
function escapeXml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text
    .replace(/[&<>"']/g, (character) => entities[character])
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd")
    .replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd");
}
