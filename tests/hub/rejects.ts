/**
 * A promise that must reject with a typed error.
 */
import assert from "node:assert/strict";
import { OnebitError } from "../../src/core/errors.ts";

export async function rejectsWith(promise: Promise<unknown>, code: RegExp, message: RegExp): Promise<void> {
  await assert.rejects(promise, (error: unknown) => {
    assert.ok(error instanceof OnebitError, String(error instanceof Error ? error.stack : error));
    assert.match(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  });
}
