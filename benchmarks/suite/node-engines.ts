/** Engines that run as a process per turn: onebit in Node, llama.cpp as native code. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { peerInstalled } from "../../tests/conformance/peer.ts";
import { LLAMA_CPP } from "./engine-names.ts";
import { runJson } from "./processes.ts";
import type { Engine, Speed, Work } from "./turns.ts";

/** Node 20 is the last without relaxed SIMD, the slowest supported. */
export const BASELINE_NODE_MAJOR = 20;

/** Where `.ci/run nodes` puts other releases of Node. */
const NODES = ".ci/nodes/node_modules";

export interface FoundNode {
  readonly path: string;
  readonly major: number;
}

const own: FoundNode = { path: process.execPath, major: Number(process.versions.node.split(".")[0]) };

/** This Node, those of `.ci/nodes` for this machine, and `asked`. */
export async function findNodes(
  asked: string | undefined,
): Promise<{ baseline: FoundNode | undefined; relaxed: FoundNode | undefined }> {
  const names = existsSync(NODES) ? readdirSync(NODES) : [],
    suffix = `-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
  const installed = names
    .filter((name) => name.endsWith(suffix))
    .map((name) => ({ path: join(NODES, name, "bin/node"), major: Number(name.split("-")[1]) }));
  const nodes = [own, ...installed],
    relaxed = nodes.filter(({ major }) => major > BASELINE_NODE_MAJOR).sort((a, b) => b.major - a.major)[0];
  return {
    baseline: nodes.find(({ major }) => major === BASELINE_NODE_MAJOR),
    relaxed:
      asked === undefined
        ? relaxed
        : { path: asked, major: await runJson<number>(asked, ["-p", "process.versions.node.split('.')[0]"]) },
  };
}

/** `folder`: the checkout whose build in dist/ runs. */
export function onebitInNode(name: string, node: Pick<FoundNode, "path"> | undefined, folder = "."): Engine {
  return {
    name,
    measure({ file, threads, promptTokens, tokens, repeats }) {
      if (!node) throw new Error(`no such Node is installed (npm ci --prefix .ci/nodes, or --node PATH)`);
      const sizes = ["--prompt", promptTokens, "--tokens", tokens, "--repeat", repeats, "--threads", threads];
      return runJson<Speed>(node.path, [join(folder, "dist/cli.js"), "bench", file, ...sizes.map(String), "--json"]);
    },
    async rest() {},
  };
}

/** The same file, mapped into memory. */
export function llamaCpp(): Engine {
  return {
    name: LLAMA_CPP,
    measure({ file, threads, promptTokens, tokens, repeats }: Work) {
      if (!peerInstalled) throw new Error("not installed (npm install --no-save --prefix tests/conformance)");
      return runJson<Speed>(process.execPath, [
        "tests/conformance/llama-cpp.mjs",
        "bench",
        file,
        ...[promptTokens, tokens, threads, repeats].map(String),
      ]);
    },
    async rest() {},
  };
}
