/**
 * Platform names that the package's declarations use, for programs compiled without DOM or Node types. Where those
 * types exist, each name merges with its full self.
 */
/// <reference lib="esnext.disposable" />
interface AbortSignal {}
interface Blob {}
interface URL {}
interface Headers {}
interface Request {}
interface RequestInit {}
interface Response {}
interface Worker {}
interface MessagePort {}
declare namespace WebAssembly {
  interface Instance {}
  interface Memory {}
  interface Module {}
}
