/**
 * The progress line of a download, on a terminal's standard error.
 *
 * @module
 */
import type { PullProgress } from "../hub.ts";
import { formatBytes } from "./format.ts";
import type { Screen } from "./screen.ts";

export function createPullLine(terminal: Screen): { show(progress: PullProgress): void; clear(): void } {
  let isShown = false;
  return {
    show(progress) {
      if (!terminal.stderrIsTty) return;
      isShown = true;
      terminal.redraw(describeProgress(progress));
    },
    clear() {
      if (isShown) terminal.redraw("");
      isShown = false;
    },
  };
}

/** `downloading model.gguf: 12 MB of 551 MB, 2 %, 8.3 MB/s, 65 s left` */
export function describeProgress({
  phase,
  file,
  doneBytes,
  totalBytes,
  bytesPerSecond,
  remainingMs,
}: PullProgress): string {
  if (phase === "waiting") return `waiting for ${file}: another program is downloading it`;
  const part =
    totalBytes === undefined
      ? ""
      : ` of ${formatBytes(totalBytes)}, ${totalBytes > 0 ? Math.floor((100 * doneBytes) / totalBytes) : 100} %`;
  const left = remainingMs === undefined ? "" : `, ${formatDuration(remainingMs)} left`;
  return `${phase} ${file}: ${formatBytes(doneBytes)}${part}, ${formatBytes(Math.round(bytesPerSecond))}/s${left}`;
}

function formatDuration(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 100) return `${seconds} s`;
  return seconds < 6000 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}
