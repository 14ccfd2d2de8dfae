/**
 * The sources of llama.cpp as node-llama-cpp ships them, a git bundle: published chat templates and vocabularies lie
 * in its folder `models`.
 */
import { execFileSync } from "node:child_process";
import { existsSync, renameSync, rmSync } from "node:fs";

const BUNDLE = "tests/conformance/node_modules/node-llama-cpp/llama/gitRelease.bundle";
/** Beside the packages, so that it goes when they go. */
const FOLDER = "tests/conformance/node_modules/.llama.cpp";

/** Its folder `models`, unpacked once: 95 MB. `undefined` where node-llama-cpp is not installed. */
export function llamaCppModels(): string | undefined {
  if (!existsSync(BUNDLE)) return undefined;
  if (!existsSync(FOLDER)) unpack();
  return `${FOLDER}/models`;
}

/** Several test files may do this at once: the first to end keeps its copy. */
function unpack(): void {
  const mine = `${FOLDER}-${process.pid}`;
  const git = (...words: string[]): unknown => execFileSync("git", words, { stdio: ["ignore", "ignore", "inherit"] });
  git("clone", "--quiet", "--no-checkout", BUNDLE, mine);
  git("-C", mine, "checkout", "--quiet", "HEAD", "--", "models");
  rmSync(`${mine}/.git`, { recursive: true });
  try {
    renameSync(mine, FOLDER);
  } catch (error) {
    if (!existsSync(FOLDER)) throw error;
    rmSync(mine, { recursive: true });
  }
}
