/**
 * Bundles an application with each bundler, as each does by itself: what is set is where the files go.
 *
 *   node bundle.mjs APP OUT PAGE    writes OUT/<bundler>/app.js, and OUT/page, which Vite makes of the project PAGE
 */
import { join } from "node:path";
import { build as esbuild } from "esbuild";
import { build as vite } from "vite";
import webpack from "webpack";

const [app, out, page] = process.argv.slice(2);

const BUNDLERS = {
  esbuild: (outdir) => esbuild({ entryPoints: { app }, outdir, bundle: true, format: "esm", logLevel: "warning" }),
  vite: (outDir) =>
    vite({
      configFile: false,
      logLevel: "warn",
      base: "/bundled/vite/",
      build: { outDir, rollupOptions: { input: { app }, output: { entryFileNames: "[name].js" } } },
    }),
  webpack: (path) =>
    new Promise((resolve, reject) =>
      webpack({ mode: "production", entry: { app }, output: { path }, performance: false }, (error, stats) =>
        error || stats.hasErrors() || stats.hasWarnings() ? reject(error ?? new Error(stats.toString())) : resolve(),
      ),
    ),
};

for (const [name, bundle] of Object.entries(BUNDLERS)) await bundle(join(out, name));
// By its own configuration; here it does not lie at the root of its origin.
await vite({ root: page, logLevel: "warn", base: "/bundled/page/", build: { outDir: join(out, "page") } });
