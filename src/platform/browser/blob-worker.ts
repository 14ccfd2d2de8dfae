/**
 * Starts workers from a text, by a Blob URL, so that a page needs no worker file beside its scripts.
 *
 * @module
 */

export interface BlobWorker {
  readonly worker: Worker;
  /** Listens for the error that ended it, or forbade it from the beginning. */
  onFailure(listener: (error: Error) => void): void;
  /** Frees the text, once the worker runs. */
  revoke(): void;
}

/** @throws Error when WebKit's policy refuses the worker; other browsers report that by an event */
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

/** A worker that was not allowed shows only as an error event without a message. */
const REFUSED = "the browser refused a worker from a Blob URL; a Content-Security-Policy must have worker-src blob:";
