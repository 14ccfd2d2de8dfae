/**
 * A folder with the package in it as an install leaves it, the models and the suite: where each runtime starts from.
 */
import { createHash } from "node:crypto";
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { basename, delimiter, join, resolve } from "node:path";
import { build } from "esbuild";
import { writeSyntheticModels } from "./synthetic-models.ts";

export interface InstalledPackage {
  readonly folder: string;
  /** Names of the models: `models/<name>.gguf`. */
  readonly models: readonly string[];
}

/**
 * `ONEBIT_MODELS`: more models to ask every runtime about, paths separated as PATH is.
 * The scripts of `sources` are bundled beside node_modules, as `<name>.js`.
 */
export async function installPackage(name: string, sources: readonly string[]): Promise<InstalledPackage> {
  mkdirSync("build", { recursive: true });
  const folder = mkdtempSync(resolve(`build/${name}-`)),
    packageFolder = join(folder, "node_modules", "onebit"),
    models = join(folder, "models");
  mkdirSync(packageFolder, { recursive: true });
  mkdirSync(models);
  cpSync("dist", join(packageFolder, "dist"), { recursive: true, filter: (path) => !path.endsWith(".map") });
  copyFileSync("package.json", join(packageFolder, "package.json"));
  // Without a manifest of its own the folder would be a part of the package, which finds itself by its name.
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module", dependencies: { onebit: "*" } }));
  await writeSyntheticModels(models);
  for (const path of (process.env.ONEBIT_MODELS ?? "").split(delimiter).filter((path) => path !== ""))
    copyFileSync(path, join(models, basename(path)));
  await build({
    entryPoints: [...sources],
    outdir: folder,
    entryNames: "[name]",
    bundle: true,
    format: "esm",
    target: "es2022",
    logLevel: "warning",
  });
  return {
    folder,
    models: readdirSync(models)
      .map((file) => basename(file, ".gguf"))
      .sort(),
  };
}

/** The hashes that every machine must reproduce, of those models that have one. */
export function publishedHashes({ folder, models }: InstalledPackage): Map<string, string> {
  const published = JSON.parse(readFileSync("tests/runtime/expected-hashes.json", "utf8")) as Record<
    string,
    { file: string; logits: string }
  >;
  const known = models.filter(
    (name) =>
      published[name]?.file ===
      createHash("sha256")
        .update(readFileSync(join(folder, "models", `${name}.gguf`)))
        .digest("hex"),
  );
  return new Map(known.map((name) => [name, published[name].logits]));
}
