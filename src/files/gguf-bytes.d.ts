/** The bundler turns an import of a model in models/ into the file's bytes. */
declare module "#models/*" {
  const bytes: Uint8Array<ArrayBuffer>;
  export default bytes;
}
