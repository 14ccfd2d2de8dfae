/**
 * Which sources are somewhere else.
 *
 * @module
 */

/** Whether a source is one to pull: `hf:…` or `http(s)://…`. */
export function isRemoteSource(source: string): boolean {
  return /^(?:hf:|https?:)/i.test(source);
}
