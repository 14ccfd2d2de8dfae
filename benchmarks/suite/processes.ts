/** Runs programs that print JSON, one at a time, so that each has the machine to itself. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** A run that hangs fails its piece, not the whole suite. */
const TIMEOUT_MS = 600_000;

/** The last output of `program`. @throws Error with its last lines on stderr */
export async function runJson<Result>(program: string, args: readonly string[]): Promise<Result> {
  try {
    const { stdout } = await promisify(execFile)(program, args, {
      encoding: "utf8",
      timeout: TIMEOUT_MS,
      maxBuffer: 64e6,
    });
    return JSON.parse(stdout) as Result;
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    throw new Error(
      stderr
        ?.split("\n")
        .find((line) => /^(?:Uncaught )?\w*Error\b/.test(line.trim()))
        ?.trim() ?? message,
      { cause: error },
    );
  }
}
