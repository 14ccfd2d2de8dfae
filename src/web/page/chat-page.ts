/**
 * The chat page: connects the person's actions, the model and the views.
 *
 * @module
 */
import { OnebitError } from "../../core/errors.ts";
import { type Answer, answer } from "./state/answer.ts";
import { type Turn, editedAt, withoutAnswer } from "./state/conversation.ts";
import type { KeptContext } from "./state/kept-context.ts";
import type { Kept, Memory } from "./state/memory.ts";
import {
  type ModelChoice,
  type ModelEnvironment,
  ModelSession,
  type OpenModel,
  nameOf,
} from "./state/model-session.ts";
import type { Settings } from "./state/settings.ts";
import { StoreClient } from "./state/store-client.ts";
import { Announcer } from "./views/announcer.ts";
import { ComposerView } from "./views/composer.ts";
import { showBar } from "./views/download.ts";
import { takeDroppedFiles } from "./views/drop-target.ts";
import { byId } from "./views/elements.ts";
import { formatRate } from "./views/format.ts";
import { ModelsView } from "./views/models.ts";
import { Notice } from "./views/notice.ts";
import { SettingsView } from "./views/settings.ts";
import { TranscriptView } from "./views/transcript.ts";
import { showWelcome } from "./views/welcome.ts";

export interface PageEnvironment extends ModelEnvironment {
  readonly memory: Memory;
  /** A notice at the start, such as that the page itself computes. */
  readonly remark?: string;
}

const ENDINGS: Readonly<Record<Answer["stopReason"], string>> = {
  stop: "",
  "stop-string": "",
  length: "cut at the set length",
  context: "cut: the model can read no more",
  aborted: "stopped",
};

/**
 * A crash, or a browser low on memory, ends the page without notice: at most this much is lost. A write takes less than
 * 1 ms.
 */
const KEEP_MS = 250;

/** Warnings about unsaved data, shown once when it starts. */
const NOT_KEPT: Readonly<Partial<Record<Kept, string>>> = {
  nothing:
    "The browser refused to keep this conversation: its storage for this page is full, or switched off. It is " +
    "lost when this tab is closed or reloaded; copy what you need.",
  "in-tab":
    "The browser keeps this conversation only as long as this tab is open: its storage for this page is full. " +
    "Copy what you need before you close it.",
  "not-the-beginning":
    "This conversation is longer than the page can keep. When the tab is closed or reloaded, its beginning is " +
    "lost; copy what you need.",
};

/** Phones end hidden pages with much memory: after this long the page closes its model until it is visible. */
const REST_AFTER_MS = 5 * 60_000;

export class ChatPage {
  readonly #memory: Memory;
  readonly #keptContext: KeptContext;
  readonly #session: ModelSession;
  readonly #notice = new Notice(byId("notice"));
  readonly #announcer = new Announcer(byId("announcer"));
  readonly #status = byId("status");
  readonly #transcript: TranscriptView;
  readonly #composer: ComposerView;
  #turns: Turn[];
  #settings: Settings;
  #writing: AbortController | undefined;
  /** Saves the answer so far. */
  #keepAnswer = (): void => {};
  /** The last warning shown. */
  #kept: Kept = "all";
  /** Data the browser did not save. */
  readonly #unkept = new Set<"conversation" | "draft" | "edits">();
  #restTimer: ReturnType<typeof setTimeout> | undefined;
  /** The model that was closed while the page was hidden. */
  #resting: ModelChoice | undefined;

  constructor(environment: PageEnvironment) {
    this.#memory = environment.memory;
    this.#keptContext = environment.keptContext;
    this.#session = new ModelSession(environment);
    this.#turns = environment.memory.turns;
    this.#settings = environment.memory.settings;
    this.#transcript = new TranscriptView(
      byId("transcript"),
      byId("scroller"),
      {
        edit: (index, text) => this.#take(editedAt(this.#turns, index, text)),
        editing: (edits) => this.#mark("edits", this.#memory.keepEdits(edits)),
        regenerate: () => void this.#answerTo(withoutAnswer(this.#turns)),
        goOn: () => void this.#answerTo(this.#turns),
      },
      environment.memory.edits,
    );
    this.#composer = new ComposerView(
      {
        send: (text) => this.#take([...this.#turns, { role: "user", text }]),
        stop: () => this.#writing?.abort(),
        changed: (text) => this.#mark("draft", this.#memory.keepDraft(text)),
      },
      environment.memory.draft,
    );
    const current = (): OpenModel | undefined => this.#session.current;
    new ModelsView(new StoreClient(environment.startWorker), {
      choose: (choice) => void this.choose(choice),
      current: () => current()?.choice,
      removing: (source) => this.#leave(source),
    });
    new SettingsView(
      this.#settings,
      (settings) => {
        this.#settings = this.#memory.settings = settings;
      },
      current,
    );
    byId("new-conversation").addEventListener("click", () => void this.#begin());
    takeDroppedFiles(byId("drop-hint"), (file) => void this.choose({ kind: "file", file }));
    // The last event a page is sure to get.
    document.addEventListener("visibilitychange", () =>
      document.visibilityState === "hidden" ? this.#hide() : void this.#wake(),
    );
    globalThis.addEventListener("pagehide", () => this.#keepAnswer());
    this.#show();
    if (environment.remark !== undefined) this.#status.textContent = environment.remark;
  }

  /** Opens the model that ran last, if it is still here, else the one built in. */
  async start(): Promise<void> {
    const { model: source, fileName } = this.#memory;
    if (fileName !== undefined)
      this.#notice.say(
        `${fileName} is a file of this device, which a page cannot open by itself: choose it again to go on with it.`,
      );
    if (source === undefined || !(await this.#open({ kind: "kept", source }))) await this.#open({ kind: "built-in" });
  }

  /** Opens the chosen model; on failure explains why and reopens the one before. */
  async choose(choice: ModelChoice): Promise<void> {
    this.#notice.clear();
    const before = this.#session.current?.choice,
      failed = (await this.#open(choice)) === false;
    if (failed && before !== undefined && this.#session.current === undefined) await this.#open(before);
  }

  /** @returns false after an explained failure; undefined if another choice came meanwhile */
  async #open(choice: ModelChoice): Promise<boolean | undefined> {
    await this.#stopWriting();
    const bar = byId<HTMLProgressElement>("loading-bar"),
      loading = byId("loading");
    byId("model-name").textContent = nameOf(choice);
    byId("loading-text").textContent = `Loading ${nameOf(choice)}`;
    showBar(bar, undefined, undefined);
    loading.hidden = false;
    this.#composer.state = "loading";
    try {
      await this.#session.open(choice, ({ loadedBytes, totalBytes }) => showBar(bar, loadedBytes, totalBytes));
      this.#memory.fileName = choice.kind === "file" ? choice.file.name : undefined;
      if (choice.kind !== "file") this.#memory.model = choice.kind === "kept" ? choice.source : undefined;
      this.#announcer.say(`${nameOf(choice)} is ready.`);
      this.#endLoading();
      return true;
    } catch (error) {
      if (error instanceof OnebitError && error.code === "aborted") return undefined;
      this.#notice.explain(error);
      byId("model-name").textContent = "No model";
      this.#endLoading();
      return false;
    }
  }

  #endLoading(): void {
    byId("loading").hidden = true;
    this.#show();
  }

  #show(): void {
    const open = this.#session.current,
      style = open?.style ?? "continue",
      isWriting = this.#writing !== undefined;
    const stopHadFocus = this.#composer.stopHasFocus;
    this.#transcript.show(this.#turns, style, isWriting);
    this.#composer.state = isWriting ? "writing" : open === undefined ? "loading" : "ready";
    if (open !== undefined)
      this.#composer.placeholder =
        style === "chat" ? "Write a message" : this.#turns.length === 0 ? "Begin a text" : "Go on with the text";
    showWelcome(this.#turns.length === 0, open, (text) => void this.#answerTo([{ role: "user", text }]));
    // The focused element may be gone: focus the next action, not the top of the page.
    if (isWriting && isNowhere(document.activeElement)) this.#composer.focusStop();
    else if (!isWriting && stopHadFocus) this.#transcript.focusLast();
  }

  /** @returns false when nothing can answer now */
  #take(turns: readonly Turn[]): boolean {
    if (this.#session.current === undefined || this.#writing !== undefined) return false;
    void this.#answerTo(turns);
    return true;
  }

  /** Saves the conversation; if the browser refuses, warns once. */
  #keep(turns: readonly Turn[]): void {
    this.#turns = [...turns];
    this.#memory.turns = this.#turns;
    const { kept } = this.#memory,
      sentence = NOT_KEPT[kept];
    if (kept !== this.#kept && sentence !== undefined) this.#notice.say(sentence);
    this.#kept = kept;
    this.#mark("conversation", kept === "all");
  }

  /**
   * Makes the browser ask before leaving a page with unsaved data. Only then: browsers do not cache pages that may ask.
   */
  #mark(what: "conversation" | "draft" | "edits", isKept: boolean): void {
    if (isKept) this.#unkept.delete(what);
    else this.#unkept.add(what);
    if (this.#unkept.size === 0) globalThis.removeEventListener("beforeunload", askToStay);
    else globalThis.addEventListener("beforeunload", askToStay);
  }

  async #answerTo(turns: readonly Turn[]): Promise<void> {
    const open = this.#session.current;
    if (open === undefined || this.#writing !== undefined || turns.length === 0) return;
    const abort = (this.#writing = new AbortController()),
      last = turns.at(-1);
    // Continuing writes more of the same turn.
    const begun = last?.role === "assistant" ? last.text : "",
      before = begun === "" ? turns : turns.slice(0, -1);
    let text = begun,
      isForgotten = false,
      keptMs = 0;
    const keep = (): void => {
      keptMs = performance.now();
      this.#keep(text === "" ? before : [...before, { role: "assistant", text }]);
    };
    this.#notice.clear();
    keep();
    this.#keepAnswer = keep;
    this.#turns = [...before, { role: "assistant", text }];
    this.#status.textContent = "Writing…";
    this.#announcer.begin();
    this.#show();
    try {
      const report = await answer(open, turns, this.#settings, {
        signal: abort.signal,
        onText: (more) => {
          text += more;
          this.#transcript.append(more);
          this.#announcer.add(more);
          if (performance.now() - keptMs >= KEEP_MS) keep();
        },
        onForgotten: () => (isForgotten = true),
      });
      this.#status.textContent = describe(report, isForgotten);
    } catch (error) {
      this.#status.textContent = "";
      this.#notice.explain(error);
      if (error instanceof OnebitError && error.code === "engine/worker-lost") await this.#session.close();
    } finally {
      keep();
      this.#keepAnswer = () => {};
      this.#writing = undefined;
      this.#announcer.end(this.#status.textContent ?? "");
      this.#show();
      void this.#keptContext.keep(open.model, open.context);
    }
  }

  async #begin(): Promise<void> {
    await this.#stopWriting();
    this.#notice.clear();
    this.#keep([]);
    void this.#keptContext.forget();
    this.#status.textContent = "";
    this.#show();
    this.#composer.focus();
  }

  #hide(): void {
    this.#keepAnswer();
    this.#restTimer = setTimeout(() => void this.#rest(), REST_AFTER_MS);
  }

  /** The built-in model takes 5 MB, and stays. */
  async #rest(): Promise<void> {
    const choice = this.#session.current?.choice;
    if (this.#writing !== undefined) this.#restTimer = setTimeout(() => void this.#rest(), REST_AFTER_MS);
    else if (choice !== undefined && choice.kind !== "built-in") {
      this.#resting = choice;
      await this.#session.close();
    }
  }

  async #wake(): Promise<void> {
    clearTimeout(this.#restTimer);
    const choice = this.#resting;
    this.#resting = undefined;
    if (choice !== undefined && (await this.#open(choice)) === false) await this.#open({ kind: "built-in" });
  }

  /** Resolves when the current answer has ended. */
  async #stopWriting(): Promise<void> {
    while (this.#writing !== undefined) {
      this.#writing.abort();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Before a kept model is removed, the page returns to the built-in one. */
  async #leave(source: string): Promise<void> {
    const choice = this.#session.current?.choice;
    if (choice?.kind === "kept" && choice.source === source) await this.#open({ kind: "built-in" });
    if (this.#memory.model === source) this.#memory.model = undefined;
  }
}

function askToStay(event: BeforeUnloadEvent): void {
  event.preventDefault();
}

function isNowhere(focused: Element | null): boolean {
  return focused === null || focused === document.body;
}

/** `256 tokens, 412 a second · cut at the set length` */
function describe({ nTokens, tokensPerSecond, stopReason }: Answer, isForgotten: boolean): string {
  const parts = [
    `${nTokens} tokens${tokensPerSecond === undefined ? "" : `, ${formatRate(tokensPerSecond)} a second`}`,
  ];
  if (ENDINGS[stopReason] !== "") parts.push(ENDINGS[stopReason]);
  if (isForgotten) parts.push("the beginning is too far back for this model to read");
  return parts.join(" · ");
}
