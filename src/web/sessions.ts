/**
 * The worker's side of sessions: an answerer for each page, and a lock that tells the page when the worker dies.
 *
 * @module
 */
import type { Connect, Connected, SessionEnd, Service } from "./connection.ts";
import { Answerer, type CallTable, type Handlers, type ToAnswerer } from "./rpc.ts";

/** Where connections arrive: a dedicated worker's global scope. */
export interface ConnectionScope {
  addEventListener(type: "message", listener: (event: MessageEvent) => void): void;
}

/** Answers every page that connects to `service`, each with its own handlers. */
export function acceptSessions<Calls extends CallTable<Calls>>(
  scope: ConnectionScope,
  service: Service,
  open: () => Handlers<Calls>,
): void {
  scope.addEventListener("message", ({ data, ports }: MessageEvent) => {
    const { onebit, lock } = (data ?? {}) as Partial<Connect>;
    if (onebit === service && lock !== undefined && ports[0] !== undefined) void accept(ports[0], lock, open());
  });
}

async function accept<Calls extends CallTable<Calls>>(
  port: MessagePort,
  lock: string,
  handlers: Handlers<Calls>,
): Promise<void> {
  const answerer = new Answerer<Calls>(handlers, (message) => port.postMessage(message));
  let end = (): void => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  port.onmessage = ({ data }: MessageEvent) => {
    const message = data as ToAnswerer<Calls> | SessionEnd;
    if (!("end" in message)) return answerer.receive(message);
    end();
    port.close();
  };
  const hello = (locked: boolean): void => port.postMessage({ connected: true, locked } satisfies Connected);
  const { locks } = globalThis.navigator ?? {};
  if (locks === undefined) hello(false);
  else await locks.request(lock, () => (hello(true), ended));
}
