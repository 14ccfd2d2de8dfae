/** Writing files in Node: the order that survives a power cut, and every failure with what to do about it. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import realFs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { OnebitError } from "../../../src/core/errors.ts";
import { temporaryFileOf, temporaryFileTarget } from "../../../src/core/platform.ts";
import { nodeFileStore } from "../../../src/platform/node/files.ts";
import type { NodeFs } from "../../../src/platform/node/files.ts";

const root = mkdtempSync(join(tmpdir(), "onebit-files-"));
after(() => rmSync(root, { recursive: true, force: true }));
const freshFolder = (): string => mkdtempSync(join(root, "f-"));
const files = nodeFileStore();
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const isWriteError =
  (pattern: RegExp) =>
  (error: unknown): boolean =>
    error instanceof OnebitError && error.code === "file/write" && pattern.test(error.message);

/**
 * Node's functions, each call noted in `calls`; `failing` throws with its code, `partly` makes each write write one
 * byte.
 */
function watchedFs(calls: string[], { failing = "", code = "ENOSPC", partly = false } = {}): NodeFs {
  const note = (what: string): void => {
    calls.push(what);
    if (what.split(" ")[0] === failing) throw Object.assign(new Error(`${code}: refused`), { code });
  };
  return {
    ...realFs,
    rename: async (from, to) => {
      note("rename");
      await realFs.rename(from, to);
    },
    open: async (path, flags) => {
      const kind = flags === "r" ? "folder" : "file";
      note(`open-${kind}`);
      const handle = await realFs.open(path, flags);
      return new Proxy(handle, {
        get(target, name: keyof typeof handle) {
          const member: unknown = Reflect.get(target, name);
          if (typeof member !== "function") return member;
          return async (...args: unknown[]): Promise<unknown> => {
            // A close that fails has closed.
            if (name === "close") await target.close();
            note(`${String(name)}-${kind}`);
            if (name === "write" && partly) args[2] = 1;
            return await (member as (...all: unknown[]) => Promise<unknown>).apply(target, args);
          };
        },
      });
    },
  } as NodeFs;
}

describe("writeFileAtomically", () => {
  test("forces the bytes to the disk before the name, and the name before it resolves", async () => {
    const folder = freshFolder(),
      calls: string[] = [];
    await nodeFileStore(watchedFs(calls)).writeFileAtomically(join(folder, "a"), [bytes("one "), bytes("two")]);
    assert.deepEqual(calls, [
      "open-file",
      "write-file",
      "write-file",
      "sync-file",
      "close-file",
      "rename",
      "open-folder",
      "sync-folder",
      "close-folder",
    ]);
    assert.equal(readFileSync(join(folder, "a"), "utf8"), "one two");
    assert.deepEqual(readdirSync(folder), ["a"]);
  });

  test("takes async chunks and none, replaces what is there, and goes on after a partial write", async () => {
    const folder = freshFolder(),
      path = join(folder, "a");
    writeFileSync(path, "a much longer text than the next");
    await files.writeFileAtomically(
      path,
      (async function* () {
        yield bytes("async");
      })(),
    );
    assert.equal(readFileSync(path, "utf8"), "async");
    await nodeFileStore(watchedFs([], { partly: true })).writeFileAtomically(path, [bytes("byte by byte")]);
    assert.equal(readFileSync(path, "utf8"), "byte by byte");
    await files.writeFileAtomically(path, []);
    assert.equal(readFileSync(path, "utf8"), "");
  });

  for (const failing of ["open-file", "write-file", "sync-file", "close-file", "rename"]) {
    test(`that fails at ${failing} leaves the old contents and no temporary file`, async () => {
      const folder = freshFolder(),
        path = join(folder, "a");
      writeFileSync(path, "old");
      await assert.rejects(
        nodeFileStore(watchedFs([], { failing })).writeFileAtomically(path, [bytes("new")]),
        isWriteError(/no space is left.*ENOSPC/),
      );
      assert.equal(readFileSync(path, "utf8"), "old");
      assert.deepEqual(readdirSync(folder), ["a"]);
    });
  }

  test("says what to do about each failure that people meet", async () => {
    const wanted: [code: string, pattern: RegExp][] = [
      ["EACCES", /permission denied/],
      ["EROFS", /read-only/],
      ["EDQUOT", /quota/],
      ["EIO", /EIO: refused/],
    ];
    for (const [code, pattern] of wanted) {
      const store = nodeFileStore(watchedFs([], { failing: "open-file", code }));
      await assert.rejects(store.writeFileAtomically(join(root, "x"), []), isWriteError(pattern));
    }
  });

  test("fails when the folder cannot be forced to the disk, unless its file system has no way to", async () => {
    const folder = freshFolder();
    await assert.rejects(
      nodeFileStore(watchedFs([], { failing: "sync-folder", code: "EIO" })).writeFileAtomically(join(folder, "a"), []),
      isWriteError(/EIO/),
    );
    await nodeFileStore(watchedFs([], { failing: "sync-folder", code: "EINVAL" })).writeFileAtomically(
      join(folder, "b"),
      [],
    );
  });

  test("passes on an error of the chunks, and removes the temporary file", async () => {
    const folder = freshFolder(),
      mine = new Error("mine");
    const chunks = function* (): Generator<Uint8Array> {
      yield bytes("part");
      throw mine;
    };
    await assert.rejects(files.writeFileAtomically(join(folder, "a"), chunks()), (error) => error === mine);
    assert.deepEqual(readdirSync(folder), []);
  });

  test("into a missing folder, below a file and over a folder fails", async () => {
    const folder = freshFolder();
    writeFileSync(join(folder, "file"), "");
    mkdirSync(join(folder, "folder"));
    await assert.rejects(
      files.writeFileAtomically(join(folder, "none", "a"), []),
      isWriteError(/its folder does not exist; make it first/),
    );
    await assert.rejects(
      files.writeFileAtomically(join(folder, "file", "a"), []),
      isWriteError(/is a file, not a folder/),
    );
    await assert.rejects(files.writeFileAtomically(join(folder, "folder"), []), isWriteError(/a folder has that name/));
    assert.deepEqual(readdirSync(folder), ["file", "folder"]);
  });
});

describe("appendLine", () => {
  test("makes the file, then appends", async () => {
    const path = join(freshFolder(), "log");
    for (const line of ["one", "zwei ü", ""]) await files.appendLine(path, line);
    assert.equal(readFileSync(path, "utf8"), "one\nzwei ü\n\n");
  });

  test("refuses several lines, a missing folder, and a full disk", async (t) => {
    await assert.rejects(
      files.appendLine(join(root, "x"), "a\nb"),
      (error) => error instanceof OnebitError && error.code === "option/invalid",
    );
    await assert.rejects(files.appendLine(join(root, "none", "x"), "a"), isWriteError(/make it first/));
    if (!existsSync("/dev/full"))
      return t.diagnostic("no /dev/full here: a full disk is tested by the watched functions only");
    await assert.rejects(files.appendLine("/dev/full", "a"), isWriteError(/no space is left/));
  });
});

describe("folders", () => {
  test("are made with their parents, again without an error, and listed in order", async () => {
    const folder = join(freshFolder(), "a", "b");
    await files.makeFolder(folder);
    await files.makeFolder(folder);
    for (const name of ["z", "a", "m"]) writeFileSync(join(folder, name), "");
    assert.deepEqual(await files.listFolder(folder), ["a", "m", "z"]);
    await files.removeFile(join(folder, "m"));
    await files.removeFile(join(folder, "m"));
    assert.deepEqual(await files.listFolder(folder), ["a", "z"]);
  });

  test("each new one is forced to the disk in the one above it", async () => {
    const calls: string[] = [];
    await nodeFileStore(watchedFs(calls)).makeFolder(join(freshFolder(), "a", "b"));
    assert.equal(calls.filter((call) => call === "sync-folder").length, 2);
  });

  test("fail with a typed error if they cannot be", async () => {
    const folder = freshFolder();
    writeFileSync(join(folder, "file"), "");
    await assert.rejects(files.makeFolder(join(folder, "file")), isWriteError(/cannot make the folder/));
    await assert.rejects(files.removeFile(folder), isWriteError(/cannot remove/));
    await assert.rejects(
      files.listFolder(join(folder, "none")),
      (error) => error instanceof OnebitError && error.code === "file/not-found",
    );
    await assert.rejects(
      files.listFolder(join(folder, "file")),
      (error) => error instanceof OnebitError && error.code === "file/read",
    );
  });
});

test("temporary files are known by their names", () => {
  assert.equal(temporaryFileTarget(temporaryFileOf("a.b", "0123abcd")), "a.b");
  for (const name of ["a.b", "a.tmp", "a.0123abc.tmp", "a.0123abcd", "a.0123abcd.tmp.x", ".0123abcd.tmp"])
    assert.equal(temporaryFileTarget(name), undefined, name);
});
