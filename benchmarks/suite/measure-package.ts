/** Bytes a page fetches: each build of the kernels, and the library without kernels, default model and command line. */
import { type BuildOptions, type Metafile, build } from "esbuild";
import { readFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import type { Measured } from "./context.ts";
import type { PackageSizesData } from "./results.ts";

type Sizes = Omit<PackageSizesData["rows"][number], "name">;

const LIBRARY = "src/index.ts";

export async function measurePackage(): Promise<Measured<PackageSizesData>> {
  const { BUNDLE, TRAIN_VARIANTS, VARIANTS } = await buildScript();
  const kernels = [...VARIANTS, ...TRAIN_VARIANTS].map((variant) => `kernels.${variant}.wasm`);
  return {
    data: {
      kind: "package-sizes",
      rows: [
        ...(await libraryRows(BUNDLE)),
        ...kernels.map((name) => ({ name, ...sizesOf([readFileSync(`build/${name}`)]) })),
      ],
    },
  };
}

/** The library: bytes of its import, and bytes fetched later for each kind of source. */
async function libraryRows(options: BuildOptions): Promise<PackageSizesData["rows"]> {
  const { outputFiles, metafile } = await build({
    ...options,
    entryPoints: [LIBRARY],
    outdir: "library",
    splitting: true,
    minify: true,
    sourcemap: false,
    write: false,
    metafile: true,
    external: ["#kernels/*", "#models/*"],
  });
  const contents = new Map(outputFiles.map(({ path, contents }) => [basename(path), contents]));
  const sizes = (paths: readonly string[]): Sizes => sizesOf(paths.map((path) => contents.get(basename(path))!));
  const entries = Object.entries(metafile.outputs).filter(([, { entryPoint }]) => entryPoint !== undefined);
  const library = withImports(metafile, entries.find(([, { entryPoint }]) => entryPoint === LIBRARY)![0]);
  const later = entries
    .filter(([path]) => !library.includes(path))
    .map(([path, { entryPoint }]) => ({
      name: `later: ${entryPoint}`,
      ...sizes(withImports(metafile, path).filter((part) => !library.includes(part))),
    }));
  return [{ name: "library", ...sizes(library) }, ...later];
}

/** A chunk and its static imports. */
function withImports({ outputs }: Metafile, path: string): string[] {
  const found = new Set([path]);
  for (const part of found) {
    for (const { kind, path: imported, external } of outputs[part].imports) {
      if (kind === "import-statement" && !external) found.add(imported);
    }
  }
  return [...found];
}

function sizesOf(files: readonly Uint8Array[]): Sizes {
  const sum = (size: (file: Uint8Array) => number): number => files.reduce((total, file) => total + size(file), 0);
  return { bytes: sum((file) => file.length), gzipBytes: sum((file) => gzipSync(file, { level: 9 }).length) };
}

/** External to this bundle: it finds the repository by its own path. */
async function buildScript(): Promise<{ BUNDLE: BuildOptions; VARIANTS: string[]; TRAIN_VARIANTS: string[] }> {
  return (await import(pathToFileURL(resolve("scripts/build.mjs")).href)) as Awaited<ReturnType<typeof buildScript>>;
}
