/**
 * The model in the box, as the bytes of its GGUF file, for pages whose bundler should include it. It is so small that
 * more than one thread slows it down.
 *
 * @example
 * import shakespeare from "onebit/shakespeare";
 * const model = await loadInWorker(shakespeare, { threads: 1 });
 *
 * @module onebit/shakespeare
 */
declare const bytes: Uint8Array<ArrayBuffer>;
export default bytes;
