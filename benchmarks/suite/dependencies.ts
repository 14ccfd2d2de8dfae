/** Installs missing peers. One that fails to install is listed as absent, with its reason. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";

const FOLDERS = [
  { folder: "benchmarks", has: "benchmarks/node_modules/onnxruntime-web", args: ["ci"] },
  // Not `npm ci`: it refuses a lock without the peer's builds for other systems. The lock still decides every version.
  { folder: "tests/conformance", has: "tests/conformance/node_modules/node-llama-cpp", args: ["install", "--no-save"] },
] as const;

export function installMissing(note: (line: string) => void): void {
  for (const { folder, has, args } of FOLDERS) {
    if (existsSync(has)) continue;
    note(`installing the peers of ${folder}: npm ${args.join(" ")} --ignore-scripts --prefix ${folder}`);
    try {
      execFileSync("npm", [...args, "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder], {
        stdio: ["ignore", "ignore", "inherit"],
      });
    } catch {
      note(`${folder}: npm failed; what it would have installed is absent`);
    }
  }
}
