/** A folder of checkpoints whose program is killed while it saves. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { nodePlatform } from "../../src/platform/node/platform.ts";
import { loadCheckpoint, loadLatestCheckpoint } from "../../src/train/checkpoint.ts";
import { seededRandom } from "../hostile/mutate.ts";

const platform = nodePlatform();
const root = mkdtempSync(join(tmpdir(), "onebit-checkpoint-"));
after(() => rmSync(root, { recursive: true, force: true }));

test("killed 40 times at any moment, a folder always holds the last checkpoint reported as saved", async () => {
  const folder = mkdtempSync(join(root, "run-")),
    program = join(root, "save-loop.mjs");
  const { build } = await import("esbuild");
  await build({
    entryPoints: ["tests/train/save-loop.ts"],
    outfile: program,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    logLevel: "warning",
  });
  const random = seededRandom(1);
  let saved = 0,
    nCutShort = 0;
  for (let kill = 0; kill < 40; kill++) {
    saved = Math.max(saved, await runAndKill(program, folder, 80 * random()));
    const names = readdirSync(folder);
    nCutShort += names.filter((name) => name.endsWith(".tmp")).length > 0 ? 1 : 0;
    assert.ok(names.length <= 4, `what is left does not pile up: ${names.join(" ")}`);
    const found = await loadLatestCheckpoint(platform, folder);
    assert.ok(found, "there is a checkpoint");
    assert.deepEqual(found.skipped, []);
    assert.ok(found.step >= saved, `step ${saved} was said to be saved, found ${found.step}`);
    assert.ok(
      found.arrays.get("values")!.every((value) => value === found.step) &&
        found.arrays.get("counts")!.every((value) => value === -found.step),
    );
    for (const name of names.filter((name) => name.endsWith(".onebit")))
      await loadCheckpoint(platform, join(folder, name));
    saved = found.step;
  }
  assert.ok(nCutShort > 0, "no kill fell into a save: the test shows nothing");
});

/** Kills the program `delayMs` after it first saved; the last step that it said it had saved. */
function runAndKill(program: string, folder: string, delayMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, folder], { stdio: ["ignore", "pipe", "inherit"] });
    let out = "";
    child.stdout.on("data", (data: Buffer) => {
      if (out === "") setTimeout(() => child.kill("SIGKILL"), delayMs);
      out += data.toString();
    });
    child.on("error", reject);
    child.on("exit", (code) => {
      // What a kill cuts off in the middle of a number is no report.
      const reports = out
        .split("\n")
        .slice(0, -1)
        .map((line) => Number(line.split(" ")[1]));
      if (code !== null) reject(new Error(`the program ended by itself with code ${code}`));
      else resolve(reports[reports.length - 1]);
    });
  });
}
