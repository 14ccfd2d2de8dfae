/**
 * The command line's view of the process: streams, terminal, Ctrl-C. Tests pass another one.
 *
 * @module
 */
import { addAbortSignal } from "node:stream";
import type { Readable } from "node:stream";
import { throwIfAborted } from "../core/errors.ts";

export interface Terminal {
  readonly stdin: Readable;
  readonly stdinIsTty: boolean;
  readonly stdoutIsTty: boolean;
  readonly stderrIsTty: boolean;
  /** Writes, and waits for a slow reader. */
  out(text: string): Promise<void>;
  err(text: string): void;
  /** Calls back on Ctrl-C until the returned function is called. */
  onInterrupt(handler: () => void): () => void;
  /** The same when the system asks the program to end (SIGTERM). */
  onTerminate(handler: () => void): () => void;
}

/** The real one. A closed pipe (`onebit … | head`) ends the program quietly, as it does for any filter. */
export function processTerminal(): Terminal {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
  return {
    stdin: process.stdin,
    stdinIsTty: process.stdin.isTTY === true,
    stdoutIsTty: process.stdout.isTTY === true,
    stderrIsTty: process.stderr.isTTY === true,
    out: (text) =>
      new Promise((resolve) => {
        if (text === "" || process.stdout.write(text)) resolve();
        else process.stdout.once("drain", resolve);
      }),
    err: (text) => void process.stderr.write(text),
    onInterrupt(handler) {
      process.on("SIGINT", handler);
      return () => process.off("SIGINT", handler);
    },
    onTerminate(handler) {
      process.on("SIGTERM", handler);
      return () => process.off("SIGTERM", handler);
    },
  };
}

/** All of a stream as text. @throws OnebitError `aborted` */
export async function readText(stream: Readable, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of addAbortSignal(signal, stream)) chunks.push(Buffer.from(chunk as Uint8Array));
  } catch (error) {
    throwIfAborted(signal);
    throw error;
  }
  return Buffer.concat(chunks).toString("utf8");
}
