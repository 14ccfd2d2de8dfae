/**
 * Plots the curves of a training run in Braille dots, 2 × 4 a character.
 *
 * @module
 */
import { BOOLEAN, type OptionTable, check, checkOptions, required, whole } from "../core/options.ts";
import { CURVES, axesOf, isDrawable } from "./plot-scale.ts";
import type { Axis, Curve } from "./plot-scale.ts";

/** Options of {@link lossPlotText}. */
export interface TerminalPlotOptions {
  /** Characters in a line, 24 to 1000. */
  readonly width: number;
  /** Lines of the curves and their axis, 4 to 1000; the legend comes below. */
  readonly height: number;
  /** Write ANSI colours. Without, several curves are drawn with a sign each in place of dots. Default false. */
  readonly color?: boolean;
}

const TERMINAL_PLOT_OPTIONS: OptionTable<TerminalPlotOptions> = {
  width: required(whole(24, 1000)),
  height: required(whole(4, 1000)),
  color: BOOLEAN,
};

const COLORS = [34, 33, 32, 35, 36, 31];
const SIGNS = ["•", "×", "+", "o", "*", "#"];
const BLANK = 0x2800;
/** Bits of a Braille character's dots, by row and column. */
const DOTS = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
];
const NO_CURVE = -1;

/**
 * Curves in characters, for a terminal: Braille dots, 2 × 4 to a character.
 *
 * @returns lines with a newline each
 * @throws OnebitError `train/bad-option`, `option/unknown`
 * @example
 * ```ts
 * import { lossPlotText } from "onebit/train";
 *
 * const points: [number, number][] = [[0, 5.5], [100, 2.5], [200, 2.1]];
 * console.log(lossPlotText([{ name: "training", points }], { width: 60, height: 12 }));
 * ```
 */
export function lossPlotText(given: readonly Curve[], options: TerminalPlotOptions): string {
  const curves = check("curves", given, CURVES, "train/bad-option");
  const {
    width,
    height,
    color = false,
  } = checkOptions("lossPlotText", options, TERMINAL_PLOT_OPTIONS, { code: "train/bad-option" });
  const { x, y } = axesOf(curves, { x: Math.max(2, Math.floor(width / 14)), y: Math.max(2, Math.floor(height / 3)) });
  const labelChars = Math.max(1, ...y.ticks.map(({ label }) => label.length));
  const rows = height - 2,
    columns = width - labelChars - 2;
  const cells = draw(curves, { x, y }, columns, rows);
  const labels = new Map(y.ticks.map(({ value, label }) => [rows - 1 - place(value, y, rows), label]));
  const lines = Array.from({ length: rows }, (_, row) => {
    const text = Array.from({ length: columns }, (_, column) =>
      cellText(cells, row * columns + column, curves.length, color),
    ).join("");
    return `${(labels.get(row) ?? "").padStart(labelChars)} ${labels.has(row) ? "┤" : "│"}${text}`;
  });
  lines.push(
    `${" ".repeat(labelChars)} └${"─".repeat(columns)}`,
    `${" ".repeat(labelChars + 2)}${xLabels(x, columns)}`,
  );
  const legend = curves.map(({ name }, i) => legendText(name, i, curves.length, width, color));
  return [...lines, ...legend].map((line) => `${line.trimEnd()}\n`).join("");
}

interface Cells {
  readonly dots: Uint8Array;
  /** The curve drawn last in each cell. */
  readonly owners: Int32Array;
}

function draw(curves: readonly Curve[], axes: { x: Axis; y: Axis }, columns: number, rows: number): Cells {
  const cells = { dots: new Uint8Array(columns * rows), owners: new Int32Array(columns * rows).fill(NO_CURVE) };
  const dot = (x: number, y: number, owner: number): void => {
    const cell = (rows - 1 - (y >> 2)) * columns + (x >> 1);
    cells.dots[cell] |= DOTS[3 - (y & 3)][x & 1];
    cells.owners[cell] = owner;
  };
  curves.forEach(({ points }, owner) => {
    let last: readonly [number, number] | undefined;
    for (const point of points) {
      const at = isDrawable(point)
        ? ([place(point[0], axes.x, 2 * columns), place(point[1], axes.y, 4 * rows)] as const)
        : undefined;
      if (at) line(last ?? at, at, (x, y) => dot(x, y, owner));
      last = at;
    }
  });
  return cells;
}

/** Dots from one point to the other, one per column or row, whichever are more. */
function line(
  [x0, y0]: readonly [number, number],
  [x1, y1]: readonly [number, number],
  dot: (x: number, y: number) => void,
): void {
  const steps = Math.max(Math.abs(x1 - x0), Math.abs(y1 - y0), 1);
  for (let i = 0; i <= steps; i++)
    dot(Math.round(x0 + ((x1 - x0) * i) / steps), Math.round(y0 + ((y1 - y0) * i) / steps));
}

/** The place of `value` among `n` in a row. */
function place(value: number, { min, max }: Axis, n: number): number {
  return Math.min(n - 1, Math.floor(((value - min) / (max - min)) * n));
}

function cellText({ dots, owners }: Cells, cell: number, nCurves: number, color: boolean): string {
  const owner = owners[cell];
  if (owner === NO_CURVE) return " ";
  if (!color && nCurves > 1) return SIGNS[owner % SIGNS.length];
  return paint(String.fromCharCode(BLANK + dots[cell]), owner, color);
}

/** Labels under their ticks; skips one that would touch the label before. */
function xLabels(axis: Axis, columns: number): string {
  let text = "";
  for (const { value, label } of axis.ticks) {
    const at = Math.min(place(value, axis, columns), columns - label.length);
    if (text === "" || at > text.length) text = text.padEnd(at) + label;
  }
  return text;
}

function legendText(name: string, owner: number, nCurves: number, width: number, color: boolean): string {
  const sign = color || nCurves === 1 ? paint("⠤⠤", owner, color) : SIGNS[owner % SIGNS.length];
  // Names come from users and files: they must not control the terminal.
  const plain = Array.from(name.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, "\ufffd"));
  return `  ${sign} ${plain.length > width - 6 ? `${plain.slice(0, width - 7).join("")}…` : plain.join("")}`;
}

function paint(text: string, owner: number, color: boolean): string {
  return color ? `\u001b[${COLORS[owner % COLORS.length]}m${text}\u001b[0m` : text;
}
