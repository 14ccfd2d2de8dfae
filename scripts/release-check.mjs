/**
 * Checks the package as a user gets it: packs it, lints manifest and declarations, installs it in an empty folder and
 * runs it there. Fails at the first problem.
 *
 *   npm ci --prefix tests/release && npm run release-check
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const tools = join(root, "tests", "release", "node_modules", ".bin");

/** Names each entry must export. The workers' entries load only in workers. */
const EXPORTED = {
  onebit: ["load", "inspect", "OnebitError"],
  "onebit/hub": ["pull", "list", "remove"],
  "onebit/nn": ["BitLinear", "BitNetTransformer"],
  "onebit/ai-sdk": ["embeddingModel", "languageModel"],
  "onebit/prompt-api": ["promptApi"],
  "onebit/server": ["createHandler"],
  "onebit/train": ["train"],
  "onebit/worker": ["loadInWorker"],
  "onebit/worker-host": ["serve"],
  "onebit/shakespeare": ["default"],
};

function main() {
  if (!existsSync(tools)) throw new Error("publint and attw are not installed: run npm ci --prefix tests/release");
  const folder = mkdtempSync(join(tmpdir(), "onebit-release-"));
  try {
    const tarball = pack(folder);
    say("publint");
    run(join(tools, "publint"), ["--strict", tarball]);
    say("are the types wrong");
    // ES modules only: CommonJS can use import(), and Node's oldest resolution does not know exports.
    run(join(tools, "attw"), [tarball, "--profile", "esm-only"]);
    say("install in an empty folder");
    writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module", private: true }));
    run("npm", ["install", "--no-audit", "--no-fund", tarball], folder);
    runInstalled(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function pack(folder) {
  const listing = execFileSync("npm", ["pack", "--json", "--pack-destination", folder], {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [{ filename, size, unpackedSize }] = JSON.parse(listing.slice(listing.indexOf("[\n")));
  say(`${filename}: ${size} bytes packed, ${unpackedSize} unpacked`);
  return join(folder, filename);
}

function runInstalled(folder) {
  const { dependencies = {} } = JSON.parse(
    readFileSync(join(folder, "node_modules", "onebit", "package.json"), "utf8"),
  );
  say(`dependencies: ${Object.keys(dependencies).join(", ") || "none"}`);
  const text = execFileSync("npx", ["--no-install", "onebit", "ROMEO:", "--max-tokens", "40", "--seed", "1"], {
    cwd: folder,
    encoding: "utf8",
  });
  if (text.length < 10) throw new Error(`onebit wrote ${JSON.stringify(text)}`);
  for (const [entry, names] of Object.entries(EXPORTED)) {
    const program =
      `const entry = await import(${JSON.stringify(entry)}); for (const name of ${JSON.stringify(names)}) if ` +
      "(!(name in entry)) throw new Error(name);";
    run(process.execPath, ["--input-type=module", "-e", program], folder);
  }
  say("the command line writes, every entry loads");
}

function run(command, args, cwd = root) {
  execFileSync(command, args, { cwd, stdio: "inherit" });
}

function say(text) {
  process.stdout.write(`release-check: ${text}\n`);
}

main();
