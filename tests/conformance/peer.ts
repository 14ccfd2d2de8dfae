/**
 * llama.cpp in a process of its own (llama-cpp.mjs), where it is installed: `npm install --no-save --prefix
 * tests/conformance`.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

// Tests and benchmarks run from the repository root, and are bundled elsewhere: a relative import would not find it.
const PROGRAM = "tests/conformance/llama-cpp.mjs";

export const peerInstalled = existsSync("tests/conformance/node_modules/node-llama-cpp");

/** Logits after each id: ids.length rows. */
export function peerLogits(path: string, ids: readonly number[], contextLength: number): Float32Array[] {
  const folder = mkdtempSync(join(tmpdir(), "onebit-peer-"));
  try {
    const out = join(folder, "logits.f32");
    execFileSync(process.execPath, [PROGRAM, "logits", path, ids.join(","), out, String(contextLength)], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    const bytes = readFileSync(out);
    const all = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    const size = all.length / ids.length;
    return ids.map((_, t) => all.subarray(t * size, (t + 1) * size));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The ids of each text, control tokens neither added nor read. */
export function peerTokens(path: string, texts: readonly string[]): number[][] {
  const out = execFileSync(process.execPath, [PROGRAM, "tokens", path, JSON.stringify(texts)], {
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
  });
  return JSON.parse(out.trim().split("\n").at(-1) as string) as number[][];
}

/** The ids of a text by a vocabulary: with no name of a control token read, and with all of them read. */
export interface PeerIds {
  readonly plain: readonly number[];
  readonly special: readonly number[];
}

/** As {@link peerTokens}, for a file that need not have weights and for texts of any number. */
export function peerVocabulary(path: string, texts: readonly string[]): PeerIds[] {
  const folder = mkdtempSync(join(tmpdir(), "onebit-peer-"));
  try {
    const [input, output] = [join(folder, "texts.json"), join(folder, "ids.json")];
    writeFileSync(input, JSON.stringify(texts));
    execFileSync(process.execPath, [PROGRAM, "vocabulary", path, input, output], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    return JSON.parse(readFileSync(output, "utf8")) as PeerIds[];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** How llama.cpp samples: its own names of options, and the ids it has sampled before. */
export interface PeerSampling {
  readonly history: readonly number[];
  readonly config: Readonly<Record<string, number | boolean | readonly number[] | readonly string[]>>;
}

/** The logits after a prompt, and for each case `[id, probability, id, probability, …]` of what can be drawn. */
export function peerDistributions(
  path: string,
  prompt: readonly number[],
  cases: readonly PeerSampling[],
): { readonly logits: number[]; readonly distributions: number[][] } {
  const folder = mkdtempSync(join(tmpdir(), "onebit-peer-"));
  try {
    const [input, output] = [join(folder, "cases.json"), join(folder, "distributions.json")];
    writeFileSync(input, JSON.stringify({ prompt, cases }));
    execFileSync(process.execPath, [PROGRAM, "samplers", path, input, output], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    return JSON.parse(readFileSync(output, "utf8")) as { logits: number[]; distributions: number[][] };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Which of its texts each grammar accepts; null for a grammar that llama.cpp refuses. */
export function peerGrammars(cases: readonly { grammar: string; texts: readonly string[] }[]): (boolean[] | null)[] {
  const folder = mkdtempSync(join(tmpdir(), "onebit-peer-"));
  try {
    const [input, output] = [join(folder, "grammars.json"), join(folder, "accepted.json")];
    writeFileSync(input, JSON.stringify(cases));
    execFileSync(process.execPath, [PROGRAM, "grammars", input, output], { stdio: ["ignore", "ignore", "inherit"] });
    return JSON.parse(readFileSync(output, "utf8")) as (boolean[] | null)[];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
