/**
 * What a person sees: everything that is written goes through here, and nothing in it drives the terminal, whether it
 * comes from a model, a file, a server or an error.
 *
 * @module
 */
import type { Terminal } from "./terminal.ts";

export interface Screen extends Omit<Terminal, "stdoutIsTty"> {
  /** What a model wrote: as it is, byte for byte, where a program reads it; made plain where a person does. */
  modelText(text: string): Promise<void>;
  /** Replaces the line about progress on standard error; an empty text takes it away. */
  redraw(text: string): void;
}

/**
 * Control characters but newline and tab (ESC begins sequences, so do those from 0x80 on), and those that turn the
 * direction of writing, by which a text can show what it does not say.
 */
const CONTROLS = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u202a-\u202e\u2066-\u2069]/g;

/**
 * Each such character is U+FFFD, so that a sequence cut in two is none either; carriage returns go, with which a line
 * can be overwritten.
 */
export function plainText(text: string): string {
  return text.replace(/\r/g, "").replace(CONTROLS, "\ufffd");
}

export function screenOf(terminal: Terminal): Screen {
  const out = (text: string): Promise<void> => terminal.out(plainText(text));
  return {
    stdin: terminal.stdin,
    stdinIsTty: terminal.stdinIsTty,
    stderrIsTty: terminal.stderrIsTty,
    out,
    modelText: (text) => (terminal.stdoutIsTty ? out(text) : terminal.out(text)),
    err: (text) => terminal.err(plainText(text)),
    redraw: (text) => terminal.err(`\r\x1b[K${plainText(text).replace(/[\n\t]/g, " ")}`),
    onInterrupt: (handler) => terminal.onInterrupt(handler),
  };
}
