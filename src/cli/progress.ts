/**
 * Loads a model for a command, with a progress bar on a terminal's standard error.
 *
 * @module
 */
import type { Model } from "../index.ts";
import { modelSource } from "./argument-kind.ts";
import { loadOptions } from "./command.ts";
import type { CommandContext } from "./command.ts";
import { formatBytes } from "./format.ts";
import { createPullLine } from "./pull-line.ts";
import type { Screen } from "./screen.ts";

const BAR_CHARS = 30;
/** Redrawing more often only flickers. */
const REDRAW_MS = 50;

/** @param overrides options set by the command */
export async function loadModel(context: CommandContext, overrides: { contextLength?: number } = {}): Promise<Model> {
  const [path] = context.positionals,
    bar = createBar(context.terminal),
    line = createPullLine(context.terminal);
  try {
    return await context.library.load(path === undefined ? undefined : modelSource(path), {
      ...loadOptions(context.options),
      ...overrides,
      signal: context.signal,
      hub: { onProgress: line.show },
      onProgress: ({ loadedBytes, totalBytes }) => bar.show(loadedBytes, totalBytes),
    });
  } finally {
    line.clear();
    bar.clear();
  }
}

function createBar(terminal: Screen): { show(done: number, total: number): void; clear(): void } {
  let shownMs = -Infinity;
  let isShown = false;
  return {
    show(done, total) {
      const nowMs = performance.now();
      if (!terminal.stderrIsTty || nowMs - shownMs < REDRAW_MS) return;
      shownMs = nowMs;
      isShown = true;
      const part = total > 0 ? done / total : 1;
      const filled = Math.round(part * BAR_CHARS);
      const bar = "█".repeat(filled) + "░".repeat(BAR_CHARS - filled);
      terminal.redraw(`loading ${bar} ${Math.round(part * 100)} % of ${formatBytes(total)}`);
    },
    clear() {
      if (isShown) terminal.redraw("");
    },
  };
}
