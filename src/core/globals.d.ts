/**
 * Names of the platform that the declarations of the package use, for programs compiled without the DOM's or Node's own
 * types. Where these are there, each merges with its full self.
 */
/// <reference lib="esnext.disposable" />
interface AbortSignal {}
interface Blob {}
interface URL {}
interface Headers {}
interface RequestInit {}
interface Response {}
interface Worker {}
interface MessagePort {}
declare namespace WebAssembly {
  interface Instance {}
  interface Memory {}
  interface Module {}
}
