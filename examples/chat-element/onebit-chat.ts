/**
 * `<onebit-chat src="model.gguf">`: a conversation with a model that runs in a worker of the page.
 *
 * What is written stands in the element's own tree; `part` lets the page style it.
 */
import { type LanguageModelSession, promptApi } from "onebit/prompt-api";
import { loadInWorker } from "onebit/worker";

class OnebitChat extends HTMLElement {
  #session: Promise<LanguageModelSession> | undefined;
  #stop = new AbortController();

  connectedCallback(): void {
    if (this.shadowRoot !== null) return;
    const root = this.attachShadow({ mode: "open" }),
      log = element("div", "log"),
      form = element("form", "form"),
      input = element("input", "input"),
      button = element("button", "button");
    log.setAttribute("role", "log");
    input.setAttribute("aria-label", "Message");
    button.textContent = "Send";
    form.append(input, button);
    root.append(log, form);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#say(input.value, log);
      input.value = "";
    });
  }

  disconnectedCallback(): void {
    this.#stop.abort();
    void this.#session?.then((session) => session.destroy());
    this.#session = undefined;
    this.#stop = new AbortController();
  }

  async #say(text: string, log: HTMLElement): Promise<void> {
    const said = element("p", "user"),
      reply = element("p", "assistant");
    said.textContent = text;
    log.append(said, reply);
    try {
      // The first message loads the model.
      const session = await (this.#session ??= this.#open()),
        reader = session.promptStreaming(text, { signal: this.#stop.signal }).getReader();
      for (let next = await reader.read(); !next.done; next = await reader.read()) reply.append(next.value);
    } catch (error) {
      reply.textContent = String(error);
    }
  }

  async #open(): Promise<LanguageModelSession> {
    const source = this.getAttribute("src") ?? undefined,
      chatTemplate = this.getAttribute("chat-template") ?? undefined;
    return await promptApi((options) => loadInWorker(source, options), { chatTemplate }).create();
  }
}

function element<Name extends keyof HTMLElementTagNameMap>(name: Name, part: string): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  made.setAttribute("part", part);
  return made;
}

customElements.define("onebit-chat", OnebitChat);
