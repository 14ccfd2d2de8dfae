/**
 * A chart of the tokens a second that each engine writes, as an SVG that is readable on a light page and on a dark one.
 */
import { MODEL_TITLES } from "./models.ts";
import type { ModelsData, Piece } from "./results.ts";

const WIDTH = 760,
  LEFT = 16,
  LABEL_WIDTH = 60,
  BAR_HEIGHT = 15,
  GROUP_GAP = 14,
  LEGEND_ROW = 20,
  TITLE_HEIGHT = 30;

/**
 * Okabe and Ito (2008): distinct for any colour vision, on white and black. onebit in blues and green, peers in orange
 * and grey.
 */
const COLOURS = [
  ["#0072b2", "#56b4e9"],
  ["#009e73", "#2bbf94"],
  ["#3f4fb5", "#8f9bf0"],
  ["#d55e00", "#e8772b"],
  ["#7a7a7a", "#a0a0a0"],
  ["#b8860b", "#e0b020"],
];

const STYLE = `text { font: 12px system-ui, sans-serif; fill: #1f2328 } .title { font-weight: 600 }
.axis { stroke: #8c959f } .grid { stroke: #8c959f; stroke-opacity: .3 } ${colourRules(0)}
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } ${colourRules(1)} }`;

export function decodeChart(pieces: readonly Piece[]): string {
  const data = pieces.map((piece) => piece.data).filter((one): one is ModelsData => one.kind === "models");
  const engines = [...new Set(data.flatMap(({ results }) => results.map(({ engine }) => engine)))],
    models = [...new Set(data.map(({ model }) => model))];
  const most = Math.max(1, ...data.flatMap(({ results }) => results.map(({ speed }) => speed.tokensPerSecond))),
    step = tickStep(most),
    nTicks = Math.ceil(most / step),
    end = nTicks * step;
  const plotLeft = LEFT + LABEL_WIDTH + 10,
    scale = (WIDTH - plotLeft - 60) / end;
  const parts: string[] = [text(LEFT, 20, "Decode: tokens a second", "title")];
  const [legend, legendEnd] = drawLegend(engines, 40);
  parts.push(...legend);
  const bars: string[] = [],
    ticks = Array.from({ length: nTicks + 1 }, (_, i) => i * step),
    across = (value: number): string => (plotLeft + value * scale).toFixed(1);
  let y = legendEnd + 4;
  for (const model of models) {
    bars.push(text(LEFT, y + 16, MODEL_TITLES[model], "title"));
    y += TITLE_HEIGHT;
    const top = y;
    for (const { threads, results } of data.filter((one) => one.model === model)) {
      bars.push(text(LEFT, y + (engines.length * BAR_HEIGHT) / 2 + 4, `${threads} thread${threads === 1 ? "" : "s"}`));
      for (const [i, engine] of engines.entries()) {
        const speed = results.find((result) => result.engine === engine)?.speed.tokensPerSecond;
        bars.push(...drawBar(plotLeft, y + i * BAR_HEIGHT, i, speed, scale));
      }
      y += engines.length * BAR_HEIGHT + GROUP_GAP;
    }
    for (const value of ticks)
      parts.push(
        `<line class="${value === 0 ? "axis" : "grid"}" x1="${across(value)}" y1="${top}" x2="${across(value)}" ` +
          `y2="${y - GROUP_GAP + 4}"/>`,
      );
  }
  parts.push(...ticks.map((value) => text(plotLeft + value * scale, y + 8, String(value), "", "middle")));
  parts.push(...bars, text(plotLeft + (end * scale) / 2, y + 28, "tokens/s; longer is faster", "", "middle"));
  const height = y + 38;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" ` +
    `role="img" aria-label="Decode speed of each engine in tokens a ` +
    `second">\n<style>${STYLE}</style>\n${parts.join("\n")}\n</svg>\n`
  );
}

function drawBar(x: number, y: number, engine: number, speed: number | undefined, scale: number): string[] {
  if (speed === undefined) return [text(x + 4, y + 12, "absent")];
  const width = Math.max(1, speed * scale);
  return [
    `<rect class="engine${engine % COLOURS.length}" x="${x}" y="${y + 1}" width="${width.toFixed(1)}" ` +
      `height="${BAR_HEIGHT - 2}"/>`,
    text(x + width + 4, y + 12, speed.toFixed(1)),
  ];
}

/** Names in three columns. */
function drawLegend(engines: readonly string[], top: number): [parts: string[], end: number] {
  const parts = engines.flatMap((engine, i) => {
    const x = LEFT + (i % 3) * 240,
      y = top + Math.floor(i / 3) * LEGEND_ROW;
    return [
      `<rect class="engine${i % COLOURS.length}" x="${x}" y="${y - 10}" width="12" height="12"/>`,
      text(x + 18, y, engine),
    ];
  });
  return [parts, top + Math.ceil(engines.length / 3) * LEGEND_ROW];
}

/** 1, 2 or 5 times a power of ten, for at most eight ticks. */
function tickStep(most: number): number {
  const power = 10 ** Math.floor(Math.log10(most / 8));
  return power * ([1, 2, 5, 10].find((factor) => most / (factor * power) <= 8) ?? 10);
}

function text(x: number, y: number, content: string, className = "", anchor = "start"): string {
  const escaped = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  const kind = className && ` class="${className}"`,
    side = anchor === "start" ? "" : ` text-anchor="${anchor}"`;
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}"${kind}${side}>${escaped}</text>`;
}

function colourRules(scheme: 0 | 1): string {
  return COLOURS.map((colours, i) => `.engine${i} { fill: ${colours[scheme]} }`).join(" ");
}
