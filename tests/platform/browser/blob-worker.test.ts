/**
 * Workers from Blob URLs that a browser refuses: WebKit throws, others send an event without a message. Threads and
 * downloads give the same error for both.
 */
import assert from "node:assert/strict";
import { resolveObjectURL } from "node:buffer";
import { after, describe, test } from "node:test";
import { browserHub } from "../../../src/platform/browser/hub.ts";
import { browserPlatform } from "../../../src/platform/browser/platform.ts";
import { FakeFolder } from "../../hub/fake-browser.ts";
import { rejectsWith } from "../../hub/rejects.ts";

const urls: string[] = [];

const REFUSING: Readonly<Record<string, unknown>> = {
  "by throwing": class {
    constructor(url: string) {
      urls.push(url);
      throw Object.assign(new Error("The operation is insecure."), { name: "SecurityError" });
    }
  },
  "by an event": class extends EventTarget {
    constructor() {
      super();
      setTimeout(() => this.dispatchEvent(new Event("error")), 1);
    }
    postMessage(): void {}
  },
};

const globals = ["Worker", "navigator", "crossOriginIsolated"].map(
  (name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)] as const,
);
const pretend = (name: string, value: unknown): void =>
  void Object.defineProperty(globalThis, name, { value, configurable: true });
after(() => {
  for (const [name, was] of globals) {
    if (was === undefined) Reflect.deleteProperty(globalThis, name);
    else Object.defineProperty(globalThis, name, was);
  }
});

for (const [how, Refusing] of Object.entries(REFUSING)) {
  describe(`a worker refused ${how}`, () => {
    test("that writes downloads", async () => {
      pretend("Worker", Refusing);
      pretend("navigator", { storage: { getDirectory: async () => new FakeFolder().handle } });
      const { urlStore } = browserHub();
      for (const path of ["first", "again"])
        await rejectsWith(
          urlStore.openWrite(path),
          /^file\/write$/,
          new RegExp(`/${path}: .*Blob URL.*worker-src blob:`),
        );
    });

    test("that is a thread", async () => {
      pretend("Worker", Refusing);
      pretend("navigator", { hardwareConcurrency: 2 });
      pretend("crossOriginIsolated", true);
      const { spawnThread } = browserPlatform();
      await assert.rejects(async () => spawnThread?.("", 0).ready, /Blob URL.*worker-src blob:/);
    });
  });
}

test("a worker that never started frees its text", () => {
  assert.equal(urls.length, 3);
  assert.deepEqual(
    urls.map((url) => resolveObjectURL(url)),
    [undefined, undefined, undefined],
  );
});
