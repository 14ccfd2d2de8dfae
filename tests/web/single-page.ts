/** The chat page as one file, as the command line writes it: in build/, by the program in dist/. */
import { execFileSync } from "node:child_process";
import { resolve } from "node:path";

/** Writes the page and gives its path. */
export function writeSinglePage(): string {
  const path = resolve(`build/single-page-${process.pid}.html`);
  execFileSync(process.execPath, ["dist/cli.js", "web", "--out", path]);
  return path;
}
