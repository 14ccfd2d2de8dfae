/** The bundler turns a `.wasm` import into the file's bytes. */
declare module "#kernels/*" {
  const bytes: Uint8Array<ArrayBuffer>;
  export default bytes;
}
