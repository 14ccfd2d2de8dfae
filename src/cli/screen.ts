/**
 * All output to people goes through here, so that no text of a model, file, server or error can control the terminal.
 *
 * @module
 */
import type { Terminal } from "./terminal.ts";

export interface Screen extends Omit<Terminal, "stdoutIsTty"> {
  /** A model's text: byte for byte to a program, plain to a person. */
  modelText(text: string): Promise<void>;
  /** What a model thinks before its text: on standard error, dimmed for a person. */
  modelThought(text: string): void;
  /** Replaces the progress line on standard error; an empty text removes it. */
  redraw(text: string): void;
}

/**
 * Control characters except newline and tab (ESC and those from 0x80 on begin sequences), and bidirectional controls,
 * which make a text look like another.
 */
const CONTROLS = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u202a-\u202e\u2066-\u2069]/g;

/**
 * Replaces each with U+FFFD, so that a sequence cut in two is harmless too; drops carriage returns, which could
 * overwrite a line.
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
    modelThought: (text) => terminal.err(terminal.stderrIsTty ? `\x1b[2m${plainText(text)}\x1b[22m` : plainText(text)),
    err: (text) => terminal.err(plainText(text)),
    redraw: (text) => terminal.err(`\r\x1b[K${plainText(text).replace(/[\n\t]/g, " ")}`),
    onInterrupt: (handler) => terminal.onInterrupt(handler),
    onTerminate: (handler) => terminal.onTerminate(handler),
  };
}
