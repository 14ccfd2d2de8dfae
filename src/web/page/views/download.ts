/**
 * Shows one download with its buttons.
 *
 * @module
 */
import { Download, type DownloadState } from "../state/download.ts";
import type { StoreClient } from "../state/store-client.ts";
import { button, element } from "./elements.ts";
import { circumstances, explain } from "./explain.ts";
import { formatBytes, formatDuration } from "./format.ts";

export interface DownloadActions {
  /** The download is complete. */
  done(source: string): void;
  /** The stored amount changed. */
  changed(): void;
}

/** Starts a download and returns its element. */
export function downloadView(store: StoreClient, source: string, actions: DownloadActions): HTMLElement {
  const bar = element("progress", { "aria-label": `Download of ${source}` }),
    facts = element("p", { class: "hint" }),
    buttons = element("div", { class: "line" });
  const place = element(
    "section",
    { class: "download", "aria-label": source },
    element("p", { class: "name" }, source),
    bar,
    facts,
    buttons,
  );
  const giveUp = button("Put away", () => (place.remove(), actions.changed()), "button quiet");
  const goOn = (): HTMLButtonElement => button("Go on", () => void download.run(), "button primary");
  const shows: { readonly [Kind in DownloadState["kind"]]: (state: Extract<DownloadState, { kind: Kind }>) => void } = {
    running({ progress }) {
      showBar(bar, progress?.doneBytes, progress?.totalBytes);
      facts.textContent = progress === undefined ? "Asking the server…" : factsOf(progress);
      if (buttons.dataset.kind !== "running")
        replaceButtons(
          buttons,
          "running",
          button("Pause", () => download.pause()),
        );
    },
    paused({ progress }) {
      facts.textContent = progress === undefined ? "Paused." : `Paused at ${amount(progress)}.`;
      replaceButtons(buttons, "paused", goOn(), giveUp);
    },
    failed({ error }) {
      const { sentence, detail } = explain(error, circumstances());
      facts.textContent = "";
      facts.append(
        element("span", { role: "alert" }, sentence),
        element("details", {}, element("summary", {}, "Details"), element("p", {}, detail)),
      );
      replaceButtons(buttons, "failed", goOn(), giveUp);
      actions.changed();
    },
    done() {
      place.remove();
      actions.done(source);
    },
  };
  const show = (state: DownloadState): void => (shows[state.kind] as (state: DownloadState) => void)(state);
  const download = new Download(store, source, show);
  void download.run();
  return place;
}

function factsOf(progress: {
  readonly phase: string;
  readonly doneBytes: number;
  readonly totalBytes: number | undefined;
  readonly bytesPerSecond: number;
  readonly remainingMs: number | undefined;
}): string {
  if (progress.phase === "waiting") return "Another tab is downloading this model; waiting for it.";
  if (progress.phase === "verifying") return `Verifying the file: ${amount(progress)}`;
  const parts = [amount(progress), `${formatBytes(progress.bytesPerSecond)}/s`];
  if (progress.remainingMs !== undefined) parts.push(`${formatDuration(progress.remainingMs)} left`);
  return parts.join(" · ");
}

function amount({
  doneBytes,
  totalBytes,
}: {
  readonly doneBytes: number;
  readonly totalBytes: number | undefined;
}): string {
  return totalBytes === undefined ? formatBytes(doneBytes) : `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`;
}

/** @param total undefined if unknown: the bar only moves */
export function showBar(bar: HTMLProgressElement, done: number | undefined, total: number | undefined): void {
  if (done === undefined || total === undefined || total === 0) bar.removeAttribute("value");
  else {
    bar.max = total;
    bar.value = done;
  }
}

/** Replaces buttons; the focus stays in the row. */
function replaceButtons(row: HTMLElement, kind: string, ...buttons: HTMLButtonElement[]): void {
  const hadFocus = row.contains(document.activeElement);
  row.dataset.kind = kind;
  row.replaceChildren(...buttons);
  if (hadFocus) buttons[0]?.focus();
}
