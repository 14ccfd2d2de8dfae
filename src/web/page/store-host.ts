/**
 * The worker's side of the kept models: downloads, hashes and lists them, away from the page's own thread.
 *
 * @module
 */
import { list, pull, remove } from "../../hub.ts";
import type { Handlers } from "../rpc.ts";
import { type ConnectionScope, acceptSessions } from "../sessions.ts";
import type { StoreCalls } from "./store-protocol.ts";

/** Reports failures after four seconds, not the library's sixteen: a waiting person can press "Go on". */
const PULL_ATTEMPTS = 4;

const HANDLERS: Handlers<StoreCalls> = {
  async pull([source], { signal, onProgress }) {
    const pulled = await pull(source, { signal, onProgress, attempts: PULL_ATTEMPTS });
    return { source, sizeBytes: pulled.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
  },
  list: () => list(),
  remove: ([source]) => remove(source),
};

export function serveStore(scope: ConnectionScope): void {
  acceptSessions<StoreCalls>(scope, "store", () => HANDLERS);
}
