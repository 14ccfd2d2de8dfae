/**
 * Sees what tabs do while a test runs, and tells it with the failure: one that comes once in twenty runs is understood
 * from the log, or not at all.
 */
import type { DrivenPage } from "./page-driver.ts";

/** A tab that does not answer by then is told as one that does not. */
const ANSWER_MS = 10_000;

export class Witness {
  /** Errors that nobody caught. */
  readonly complaints: string[] = [];
  readonly #heard: string[] = [];
  readonly #tabs: DrivenPage[] = [];

  watch(tab: DrivenPage): void {
    this.#tabs.push(tab);
    tab.on("pageerror", ({ message }) => this.complaints.push(message));
    tab.on("console", (message) => this.#heard.push(`${message.type()}: ${message.text()}`));
    tab.on("requestfailed", (request) =>
      this.#heard.push(`not fetched: ${request.url()} (${request.failure()?.errorText ?? "?"})`),
    );
  }

  /** Runs `use`; an error it ends with says what the tabs show, too. */
  async tell<Result>(use: () => Promise<Result>): Promise<Result> {
    try {
      return await use();
    } catch (cause) {
      const shown = await Promise.all(this.#tabs.map(shownBy)),
        message = cause instanceof Error ? cause.message : String(cause);
      const heard = [...this.complaints.map((complaint) => `uncaught: ${complaint}`), ...this.#heard];
      throw new Error([message, ...shown.map((text) => `The tab shows ${text}`), ...heard].join("\n"), { cause });
    }
  }
}

async function shownBy(tab: DrivenPage): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`nothing: it did not answer within ${ANSWER_MS / 1000} s`), ANSWER_MS);
  });
  const answer = tab.evaluate<string>(DESCRIBE).catch((error: Error) => `nothing: ${error.message}`);
  return await Promise.race([answer, late]).finally(() => clearTimeout(timer));
}

const DESCRIBE = `(() => {
  const find = (selector) => document.querySelector(selector);
  const textOf = (selector) => find(selector)?.textContent.trim(), isHidden = (selector) => find(selector)?.hidden;
  return JSON.stringify({
    url: location.href,
    readyState: document.readyState,
    visibility: document.visibilityState,
    hasFocus: document.hasFocus(),
    focused: document.activeElement?.id || document.activeElement?.tagName,
    isolated: crossOriginIsolated,
    served: navigator.serviceWorker?.controller?.state,
    model: textOf("#model-name"),
    loading: isHidden("#loading") ? undefined : textOf("#loading-text"),
    placeholder: find("#prompt")?.placeholder,
    isWriting: isHidden("#stop") === false,
    typed: find("#prompt")?.value,
    status: textOf("#status"),
    notice: textOf("#notice"),
    announced: [...document.querySelectorAll("#announcer p")].map(({ textContent }) => textContent),
    turns: [...document.querySelectorAll(".turn")].map(({ textContent }) => textContent),
    dialogs: [...document.querySelectorAll("dialog[open]")].map(({ textContent }) => textContent.replace(/\\s+/g, " ")),
  }, undefined, 2);
})()`;
