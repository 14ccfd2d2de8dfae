/** The build puts the bundled script of the worker (worker-main.ts) here, as text. */
declare module "#engine-worker" {
  const source: string;
  export default source;
}
