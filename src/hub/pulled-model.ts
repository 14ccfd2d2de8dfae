/**
 * A model on this machine, as callers get it.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import type { ModelStore } from "../core/model-store.ts";
import type { PulledFile, PulledModel } from "./options.ts";

export function pulledModel(
  store: ModelStore,
  files: readonly (PulledFile & { readonly storePath: string })[],
  rest: Omit<PulledModel, "files" | "open">,
): PulledModel {
  return {
    ...rest,
    files: files.map(({ name, sizeBytes, hash, path }) => ({ name, sizeBytes, hash, path })),
    async open(name) {
      const file = files.find((one) => one.name === name || one.name.split("/").pop() === name);
      if (file === undefined) return fail("file/not-found", `${quoted(name)}: is no file of ${rest.source}`);
      const source = await store.openRead(file.storePath);
      // Parsers tell formats and shards by the file's own name, not by its place in the store.
      return {
        ...source,
        name: file.path ?? name,
        read: (into, position) => source.read(into, position),
        close: () => source.close(),
      };
    },
  };
}
