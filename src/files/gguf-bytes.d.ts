/** The bundler turns an import of a model in models/ into the file's bytes; in the package it is a promise of them. */
declare module "#models/*" {
  const bytes: Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>>;
  export default bytes;
}
