/**
 * Workers from a text, by a Blob URL: nothing of theirs has to lie beside a page's scripts.
 *
 * @module
 */

export interface BlobWorker {
  readonly worker: Worker;
  /** What ended it, or forbade it from the beginning. */
  onFailure(listener: (error: Error) => void): void;
  /** Once it runs, the text is needed no more. */
  revoke(): void;
}

/** @throws Error in WebKit what other browsers tell by an event: that a policy refuses it */
export function startBlobWorker(source: string): BlobWorker {
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" })),
    revoke = (): void => URL.revokeObjectURL(url);
  try {
    const worker = new Worker(url);
    return {
      worker,
      onFailure: (listener) =>
        worker.addEventListener("error", ({ message }) => listener(new Error(message || REFUSED))),
      revoke,
    };
  } catch (cause) {
    revoke();
    throw new Error(REFUSED, { cause });
  }
}

/** An error event without a message is all that is seen of a worker that was not allowed. */
const REFUSED = "the browser refused a worker from a Blob URL; a Content-Security-Policy must have worker-src blob:";
