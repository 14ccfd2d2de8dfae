/**
 * Constants that the build defines in the service worker's bundle.
 *
 * @module
 */
declare const ONEBIT_PAGE_BUILD: string;
declare const ONEBIT_PAGE_FILES: readonly string[];

/** The name of a file of the page, relative to its folder. */
export type BuiltFile = string;

/** A hash of all files: it changes with every build. */
export const PAGE_BUILD: string = ONEBIT_PAGE_BUILD;

/** All files but the service worker's own script. */
export const PAGE_FILES: readonly BuiltFile[] = ONEBIT_PAGE_FILES;
