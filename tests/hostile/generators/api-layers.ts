/** Entries of `onebit/nn`. */
import type { ApiEntry } from "./api.ts";

export const LAYER_ENTRIES: readonly ApiEntry[] = [];
