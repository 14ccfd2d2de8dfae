/**
 * A chat template: Jinja, rendered within limits, remembering which text came from the messages.
 *
 * The language is Jinja 3.1's (https://jinja.palletsprojects.com) as Hugging Face's `apply_chat_template` sets it up,
 * less what reaches outside the template (imports, includes, inheritance). A template can only read the values it is
 * given and print; time and memory are bounded by a budget of steps.
 *
 * @module
 */
import { fail } from "../../core/errors.ts";
import { TEMPLATE_STEPS, TEMPLATE_STEPS_MAX, TEMPLATE_STEPS_PER_VALUE } from "../../core/limits.ts";
import type { Statement } from "./ast.ts";
import { Budget } from "./budget.ts";
import { createGlobals } from "./globals.ts";
import { run } from "./interpreter.ts";
import { templateText } from "./marked-text.ts";
import type { TextRun } from "./marked-text.ts";
import { parseTemplate } from "./parser.ts";
import { fromData } from "./values.ts";

export interface TemplateData {
  /** JSON values from outside (messages, tools, documents): every string in them is input. */
  readonly input: Readonly<Record<string, unknown>>;
  /** Strings of the model's own, like `bos_token`: as trusted as the template. */
  readonly trusted?: Readonly<Record<string, string>>;
  /** What `strftime_now` tells; default now. */
  readonly now?: Date;
}

export class Template {
  readonly #statements: readonly Statement[];

  /** @throws OnebitError `template/syntax`, `template/limit` */
  constructor(source: string) {
    this.#statements = guardStack(() => parseTemplate(source));
  }

  /** @throws OnebitError `template/raised`, `template/limit`, `option/invalid` (data that is no JSON) */
  render(data: TemplateData): TextRun[] {
    const count = { values: 0 };
    const values = Object.entries(data.input).map(([name, value]) => [name, fromData(value, count)] as const);
    const budget = new Budget(Math.min(TEMPLATE_STEPS + count.values * TEMPLATE_STEPS_PER_VALUE, TEMPLATE_STEPS_MAX));
    const globals = createGlobals(data.now ?? new Date(), budget);
    for (const [name, value] of values) globals.set(name, value);
    for (const [name, text] of Object.entries(data.trusted ?? {})) globals.set(name, templateText(text));
    return guardStack(() => run(this.#statements, globals, budget)).runs();
  }
}

/** The depth limit keeps far from the end of a usual stack; a caller deep in recursion may still run out of it. */
function guardStack<T>(task: () => T): T {
  try {
    return task();
  } catch (error) {
    if (error instanceof RangeError) fail("template/limit", `chat template: ${error.message}`, error);
    throw error;
  }
}
