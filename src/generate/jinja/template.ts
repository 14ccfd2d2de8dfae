/**
 * A chat template: Jinja rendered within limits, with input text marked.
 *
 * The language is Jinja 3.1's (https://jinja.palletsprojects.com) as Hugging Face's `apply_chat_template` sets it up,
 * without imports, includes and inheritance. A template can only read the given values and print; a budget of steps
 * bounds time and memory.
 *
 * @module
 */
import { fail } from "../../core/errors.ts";
import { TEMPLATE_STEPS, TEMPLATE_STEPS_MAX, TEMPLATE_STEPS_PER_VALUE } from "../../core/limits.ts";
import type { Statement } from "./ast.ts";
import { Budget } from "./budget.ts";
import { createGlobals } from "./globals.ts";
import { run } from "./interpreter.ts";
import { MarkedText, templateText } from "./marked-text.ts";
import type { TextRun } from "./marked-text.ts";
import { parseTemplate } from "./parser.ts";
import { Dict, fromData, isList, Parts } from "./values.ts";
import type { Value } from "./values.ts";

export interface TemplateData {
  /** JSON values from outside (messages, tools, documents): every string in them is input. */
  readonly input: Readonly<Record<string, unknown>>;
  /** The model's own strings, like `bos_token`: trusted like the template. */
  readonly trusted?: Readonly<Record<string, string>>;
  /** The time `strftime_now` prints; default now. */
  readonly now?: Date;
}

export interface Rendering {
  readonly text: MarkedText;
  /** True if the template read the parts of every content that is a list of parts. */
  readonly readsParts: boolean;
}

export class Template {
  readonly #statements: readonly Statement[];

  /** @throws OnebitError `template/syntax`, `template/limit` */
  constructor(source: string) {
    this.#statements = guardStack(() => parseTemplate(source));
  }

  /** @throws OnebitError `template/raised`, `template/limit`, `option/invalid` (data that is not JSON) */
  render(data: TemplateData): TextRun[] {
    return this.renderMarked(data).text.runs();
  }

  /** As {@link render}, and whether the template read parts. */
  renderMarked(data: TemplateData): Rendering {
    const count = { values: 0 };
    const values = Object.entries(data.input).map(([name, value]) => [name, fromData(value, count)] as const);
    const contents = prepareMessages(values.find(([name]) => name === "messages")?.[1]);
    const budget = new Budget(Math.min(TEMPLATE_STEPS + count.values * TEMPLATE_STEPS_PER_VALUE, TEMPLATE_STEPS_MAX));
    const globals = createGlobals(data.now ?? new Date(), budget);
    for (const [name, text] of Object.entries(data.trusted ?? {})) globals.set(name, templateText(text));
    for (const [name, value] of values) globals.set(name, value);
    const text = guardStack(() => run(this.#statements, globals, budget));
    return { text, readsParts: contents.every((parts) => parts.wasRead) };
  }
}

const CONTENT = templateText("content");
const ROLE = templateText("role");
/**
 * Roles known to templates. They count as the template's own text: many templates write `'<|' + role + '|>'` to make
 * the special token. Any other role is the caller's text.
 */
const ROLES: ReadonlySet<string> = new Set([
  "system",
  "developer",
  "user",
  "assistant",
  "model",
  "tool",
  "function",
  "ipython",
  "environment",
  "observation",
]);

/**
 * Prepares messages: marks known roles as the template's text; turns lists in contents into parts, and returns these.
 */
function prepareMessages(messages: Value | undefined): Parts[] {
  const found: Parts[] = [];
  for (const message of isList(messages) ? messages : []) {
    if (!(message instanceof Dict)) continue;
    const role = message.get(ROLE);
    if (role instanceof MarkedText && ROLES.has(role.text)) message.set(ROLE, templateText(role.text));
    const content = message.get(CONTENT);
    if (!isList(content)) continue;
    const parts = new Parts();
    for (const part of content) parts.push(part);
    message.set(CONTENT, parts);
    found.push(parts);
  }
  return found;
}

/** The depth limit stays far from a usual stack's end, but a caller deep in recursion may still overflow it. */
function guardStack<T>(task: () => T): T {
  try {
    return task();
  } catch (error) {
    if (error instanceof RangeError) fail("template/limit", `chat template: ${error.message}`, error);
    throw error;
  }
}
