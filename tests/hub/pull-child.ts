/**
 * A process that pulls one model and says that it waits, then what it got; to be killed at any moment: SOURCE, then
 * options as JSON.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { OnebitError } from "../../src/core/errors.ts";
import type { HubOptions } from "../../src/hub/options.ts";
import { pull } from "../../src/hub.ts";
import type { PullProgress } from "../../src/hub.ts";

const [source, options] = [process.argv[2], JSON.parse(process.argv[3]) as HubOptions];
try {
  let hasWaited = false;
  const onProgress = ({ phase }: PullProgress): void => {
    if (phase !== "waiting" || hasWaited) return;
    hasWaited = true;
    process.stdout.write("waiting\n");
  };
  const { files, fetchedBytes } = await pull(source, { ...options, onProgress });
  const found = files.map(({ path = "" }) => createHash("sha256").update(readFileSync(path)).digest("hex"));
  process.stdout.write(JSON.stringify({ sha256: found[0], fetchedBytes, hasWaited }));
} catch (error) {
  process.stdout.write(
    JSON.stringify({ code: error instanceof OnebitError ? error.code : String(error), message: String(error) }),
  );
  process.exitCode = 1;
}
