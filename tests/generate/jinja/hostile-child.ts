/** The child process of `hostile.test.ts`: renders all hostile templates and reports how each ended. */
import { OnebitError } from "../../../src/core/errors.ts";
import { Template } from "../../../src/generate/jinja/template.ts";
import { HANDWRITTEN, randomSource, randomTemplate } from "./hostile-templates.ts";

const SEED = 20_240_229;
/** A sign of life every so many random templates; the handwritten ones each give one. */
const BATCH = 20;

const input = {
  messages: [
    { role: "user", content: "Hello aaa" },
    { role: "assistant", content: "x".repeat(500) },
  ],
  tools: [{ a: { b: [1, 2] } }],
};

const codes: Record<string, number> = {};
const untyped: string[] = [];

function render(source: string): void {
  let code = "ok";
  try {
    new Template(source).render({ input, trusted: { bos_token: "<s>", eos_token: "</s>" } });
  } catch (error) {
    code = error instanceof OnebitError ? error.code : "untyped";
    if (code === "untyped") untyped.push(`${String(error)}: ${source.slice(0, 300)}`);
  }
  codes[code] = (codes[code] ?? 0) + 1;
}

async function say(message: object): Promise<void> {
  await new Promise<void>((resolve) => process.send?.(message, undefined, undefined, () => resolve()));
}

const nRandom = Number(process.argv[2]);
for (const source of HANDWRITTEN) {
  await say({ starts: source.slice(0, 300) });
  render(source);
}
const random = randomSource(SEED);
for (let i = 0; i < nRandom; i++) {
  const source = randomTemplate(random, 1 + random(3));
  if (i % BATCH === 0) await say({ starts: source.slice(0, 300) });
  render(source);
}
await say({ report: { count: HANDWRITTEN.length + nRandom, codes, untyped } });
process.disconnect?.();
