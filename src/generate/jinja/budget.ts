/**
 * What a template may spend. Templates come inside model files, so they are programs of strangers: each evaluated
 * node, copied character and list item costs, and when the budget is gone rendering ends with an error.
 *
 * One step is less than 0.4 µs of work, whatever it is: `tests/generate/jinja/bound.test.ts` tries everything on the
 * longest values.
 *
 * @module
 */
import { fail } from "../../core/errors.ts";
import { TEMPLATE_DEPTH_MAX } from "../../core/limits.ts";

export class Budget {
  #left: number;
  #depth = 0;
  readonly #total: number;

  constructor(total: number) {
    this.#total = total;
    this.#left = total;
  }

  /** Steps spent so far. */
  get spent(): number {
    return this.#total - this.#left;
  }

  /** @throws OnebitError `template/limit` */
  spend(cost: number): void {
    this.#left -= cost;
    // Written so that NaN fails too.
    if (!(this.#left >= 0)) fail("template/limit", `the template does too much work: more than ${this.#total} steps`);
  }

  /** One level deeper: nested expressions, macro calls, nested data. @throws OnebitError `template/limit` */
  enter(): void {
    if (++this.#depth > TEMPLATE_DEPTH_MAX) {
      fail("template/limit", `the template nests or recurses too deeply: more than ${TEMPLATE_DEPTH_MAX} levels`);
    }
  }

  leave(): void {
    this.#depth--;
  }
}
