/**
 * What the build says of itself: it defines both constants in the bundle of the service worker.
 *
 * @module
 */
declare const ONEBIT_PAGE_BUILD: string;
declare const ONEBIT_PAGE_FILES: readonly string[];

/** The name of a file of the page, relative to its folder. */
export type BuiltFile = string;

/** A hash of all files: another one for every build that differs. */
export const PAGE_BUILD: string = ONEBIT_PAGE_BUILD;

/** All files but the service worker's own script. */
export const PAGE_FILES: readonly BuiltFile[] = ONEBIT_PAGE_FILES;
