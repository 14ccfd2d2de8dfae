/**
 * The drafts of JSON Schema, and what differs between them.
 *
 * Sources: https://json-schema.org/draft/2020-12 (core and validation), and the release notes of each draft.
 *
 * @module
 */
import { fail, quoted } from "../../core/errors.ts";

/** In order of time. */
const DRAFTS = ["draft-04", "draft-06", "draft-07", "2019-09", "2020-12"] as const;
export type DraftName = (typeof DRAFTS)[number];

export interface Draft {
  /** Undefined where the schema does not say: then keywords of all drafts are read, each as its own draft means it. */
  readonly name: DraftName | undefined;
  /** `id` in the first of them. */
  readonly idKeyword: "id" | "$id";
  /** Up to draft-07, keywords beside `$ref` do not count. */
  readonly refStandsAlone: boolean;
}

export const ANY_DRAFT: Draft = { name: undefined, idKeyword: "$id", refStandsAlone: false };

const BY_NAME: Readonly<Record<DraftName, Draft>> = {
  "draft-04": { name: "draft-04", idKeyword: "id", refStandsAlone: true },
  "draft-06": { name: "draft-06", idKeyword: "$id", refStandsAlone: true },
  "draft-07": { name: "draft-07", idKeyword: "$id", refStandsAlone: true },
  "2019-09": { name: "2019-09", idKeyword: "$id", refStandsAlone: false },
  "2020-12": { name: "2020-12", idKeyword: "$id", refStandsAlone: false },
};

/** By URI, without scheme and without an empty fragment. */
const BY_URI: ReadonlyMap<string, Draft> = new Map([
  ["json-schema.org/draft-04/schema", BY_NAME["draft-04"]],
  ["json-schema.org/draft-06/schema", BY_NAME["draft-06"]],
  ["json-schema.org/draft-07/schema", BY_NAME["draft-07"]],
  ["json-schema.org/draft/2019-09/schema", BY_NAME["2019-09"]],
  ["json-schema.org/draft/2020-12/schema", BY_NAME["2020-12"]],
  // "The latest": the schema does not say which.
  ["json-schema.org/schema", ANY_DRAFT],
]);

/**
 * The draft that a `$schema` names.
 * @throws OnebitError `grammar/unsupported` for a dialect of someone's own, which may mean anything
 */
export function draftOf(uri: string, where: string): Draft {
  const plain = uri.replace(/^https?:\/\//, "").replace(/#$/, "");
  return (
    BY_URI.get(plain) ??
    fail("grammar/unsupported", `${where}: $schema ${quoted(uri)} is no draft of JSON Schema from 4 to 2020-12`)
  );
}

/** Whether `draft` knows what came with `first` and went after `last`. */
export function isWithin(draft: Draft, first: DraftName | undefined, last: DraftName | undefined): boolean {
  if (draft.name === undefined) return true;
  const at = DRAFTS.indexOf(draft.name);
  return (first === undefined || at >= DRAFTS.indexOf(first)) && (last === undefined || at <= DRAFTS.indexOf(last));
}
