/** Chat templates that do everything Jinja can do to the longest values a template can build, with hostile messages. */
import { OnebitError } from "../../../src/core/errors.ts";
import { Template } from "../../../src/generate/jinja/template.ts";
import { randomSource, randomTemplate } from "../../generate/jinja/hostile-templates.ts";
import type { HostileGenerator } from "./generator.ts";
import { INPUT, randomLongTemplate } from "./template-grammar.ts";

export const generator: HostileGenerator = {
  name: "templates",
  weight: 0.1,
  tryOne(random) {
    const source =
      random.u32() % 3 === 0
        ? randomTemplate(randomSource(random.u32()), 1 + (random.u32() % 3))
        : randomLongTemplate(random);
    const inputBytes = 2 * source.length + JSON.stringify(INPUT).length;
    try {
      new Template(source).render({ input: INPUT, trusted: { bos_token: "<s>", eos_token: "</s>" } });
      return { outcome: "accepted", inputBytes };
    } catch (error) {
      if (error instanceof OnebitError) return { outcome: error.code, inputBytes };
      throw error;
    }
  },
};
