/** How much a page fetches: each build of the kernels, and the library without them, the default model and the command line. */
import { type BuildOptions, build } from "esbuild";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import type { Measured } from "./context.ts";
import type { PackageSizesData } from "./results.ts";

export async function measurePackage(): Promise<Measured<PackageSizesData>> {
  const { BUNDLE, TRAIN_VARIANTS, VARIANTS } = await buildScript();
  const { outputFiles } = await build({
    ...BUNDLE, entryPoints: ["src/index.ts"], outfile: "index.js", minify: true, sourcemap: false, write: false, external: ["#kernels/*", "#models/*"],
  });
  const files = [
    { name: "library", bytes: outputFiles[0].contents },
    ...[...VARIANTS, ...TRAIN_VARIANTS].map((variant) => ({ name: `kernels.${variant}.wasm`, bytes: readFileSync(`build/kernels.${variant}.wasm`) })),
  ];
  return { data: { kind: "package-sizes", rows: files.map(({ name, bytes }) => ({ name, bytes: bytes.length, gzipBytes: gzipSync(bytes, { level: 9 }).length })) } };
}

/** Not a part of this bundle: it finds the repository by where it lies. */
async function buildScript(): Promise<{ BUNDLE: BuildOptions; VARIANTS: string[]; TRAIN_VARIANTS: string[] }> {
  return (await import(pathToFileURL(resolve("scripts/build.mjs")).href)) as Awaited<ReturnType<typeof buildScript>>;
}
