/** Entries of `onebit/train`. */
import type { ApiEntry } from "./api.ts";

export const TRAINING_ENTRIES: readonly ApiEntry[] = [];
