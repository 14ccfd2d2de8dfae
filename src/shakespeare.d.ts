/**
 * The model in the box, for pages whose bundler should include it.
 *
 * @module onebit/shakespeare
 */

/**
 * The bytes of the GGUF file: 3 million ternary weights, trained on Shakespeare. More than one thread slows it down.
 *
 * @example
 * ```ts
 * import shakespeare from "onebit/shakespeare";
 * import { loadInWorker } from "onebit/worker";
 *
 * const model = await loadInWorker(shakespeare, { threads: 1 });
 * console.log(await model.generate("ROMEO:", { maxTokens: 8 }).text());
 * await model.close();
 * ```
 */
declare const bytes: Uint8Array<ArrayBuffer>;
export default bytes;
