/**
 * Tells which of some texts is most like Shakespeare, in Deno. No permission is needed: the model is in the package,
 * and the kernels are inside its code.
 *
 *   deno add npm:onebit
 *   deno run deno.ts "Wherefore art thou Romeo?" "Please restart the printer."
 */
import { load } from "onebit";

const TEXTS = [
  "Speak, my good lord, and tell us of the king.",
  "The quarterly report is attached as a spreadsheet.",
  "zxq jkw vvv qqx zzk",
];

const given = (globalThis as { Deno?: { args: string[] } }).Deno?.args ?? [];
const model = await load();
const judged = [];
for (const text of given.length > 0 ? given : TEXTS) {
  // How many bytes the model hesitates between, on average, before it sees each: the fewer, the more it expected the
  // text.
  const { perplexity } = await model.perplexity(text);
  judged.push({ text, perplexity });
}
await model.close();

judged.sort((a, b) => a.perplexity - b.perplexity);
for (const { text, perplexity } of judged) console.log(perplexity.toFixed(1).padStart(8), text);
