/**
 * Lets the page work without a network from its second load on: registers the service worker that keeps its files.
 *
 * @module
 */
/** @returns why the page will not work offline, undefined where it will */
export async function keepForOffline(scriptUrl: string): Promise<string | undefined> {
  const { serviceWorker } = navigator;
  if (serviceWorker === undefined) return "this browser, or a page without https, cannot keep the page for later";
  try {
    await serviceWorker.register(scriptUrl);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
