/**
 * Whether a text is JSON.
 *
 * @module
 */
export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
