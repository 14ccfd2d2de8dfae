/**
 * Every limit of the library, each with its reason. Sizes that a file claims are checked against these and
 * against the file's real size before any memory is taken.
 *
 * @module
 */

/** wasm32 addresses 4 GiB: 65,536 pages of 64 KiB. AssemblyScript emits no 64-bit memory. */
export const WASM_PAGE_BYTES = 65_536;
export const WASM_PAGES_MAX = 65_536;

/** Above this many threads a barrier per step costs more than the rows it shares out. */
export const THREADS_MAX = 64;
