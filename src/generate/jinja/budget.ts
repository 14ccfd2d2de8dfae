/**
 * The steps a template may spend. Templates come inside model files, so they are strangers' programs: each evaluated
 * node, copied character and list item costs, and rendering fails when the budget is spent.
 *
 * Any step is less than 0.4 µs of work: `tests/generate/jinja/bound.test.ts` tries everything on the longest values.
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
    // In this form NaN fails too.
    if (!(this.#left >= 0)) fail("template/limit", `the template takes more than the ${this.#total} steps allowed`);
  }

  /** Goes one level deeper: nested expressions, macro calls, nested data. @throws OnebitError `template/limit` */
  enter(): void {
    if (++this.#depth > TEMPLATE_DEPTH_MAX) {
      fail("template/limit", `the template nests or recurses deeper than the ${TEMPLATE_DEPTH_MAX} levels allowed`);
    }
  }

  leave(): void {
    this.#depth--;
  }
}
