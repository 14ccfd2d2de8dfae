/** Programs that print JSON, one at a time: what is measured has the machine for itself. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** A run that hangs ends its piece, not the evening. */
const TIMEOUT_MS = 600_000;

/** What `program` prints last. @throws Error that says what it wrote to stderr last */
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
