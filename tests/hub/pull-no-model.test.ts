/** What a server sends in the place of a model: refused, and not kept. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { removeModel } from "../../src/hub/inventory.ts";
import { type Fault, randomBytes, sha256 } from "./fake-hub.ts";
import { bytes, contents, place, pull, server, usePlainUrl } from "./plain-url.ts";
import { rejectsWith } from "./rejects.ts";

usePlainUrl();

/** What stands where a model should be: the server's answer, and what the error says of it. */
describe("what is no model", () => {
  const text = (string: string): Uint8Array => new TextEncoder().encode(string);
  const cases: Record<string, readonly [body: Uint8Array, message: RegExp]> = {
    "a web page": [text("\ufeff\n <!DOCTYPE html><title>Log in</title>"), /web page.*login/],
    "a page without a doctype": [text("<html><body>Welcome to our hotel</body></html>"), /web page/],
    "an error in JSON": [text('{"error":"rate limited"}'), /JSON, perhaps an error message/],
    "a pointer of Git LFS": [text("version https://git-lfs.github.com/spec/v1\n"), /Git LFS pointer/],
    "an archive": [Uint8Array.of(0x1f, 0x8b, ...new Uint8Array(100)), /gzip archive/],
    nothing: [new Uint8Array(), /is empty/],
    "a single byte": [Uint8Array.of(71), /unknown format/],
    "much of something": [randomBytes(3_000_000, 8), /unknown format/],
  };
  const files = (): string[] => {
    const folder = join(place.urlFolder, "urls");
    return existsSync(folder) ? readdirSync(folder).flatMap((key) => readdirSync(join(folder, key))) : [];
  };
  for (const [name, [body, message]] of Object.entries(cases)) {
    test(`${name}: refused with the URL, nothing is kept, and the next time the server is asked again`, async () => {
      for (const fault of [{}, { noRanges: true }, { noLength: true }]) {
        server.plain.set("/m.gguf", { bytes: body, etag: '"page"' });
        server.fault = () => fault;
        await rejectsWith(pull(), /^file\/unknown-format$/, new RegExp(`^${server.url}/m\\.gguf: .*${message.source}`));
        assert.deepEqual(
          files().filter((file) => !/\.onebit-part/.test(file)),
          [],
        );
        if (fault.noRanges || fault.noLength) assert.deepEqual(files(), []);
        server.plain.set("/m.gguf", { bytes, etag: '"one"' });
        assert.ok(contents(await pull()).equals(bytes));
        await removeModel(`${server.url}/m.gguf`, place.hub);
      }
    });
  }

  test("a login page behind a redirect: the error names both addresses", async () => {
    server.plain.set("/login", { bytes: text("<!doctype html>") });
    server.fault = ({ path }) =>
      path === "/m.gguf" ? { status: 302, headers: { location: "/login?next=secret" } } : undefined;
    await rejectsWith(pull(), /^file\/unknown-format$/, /m\.gguf, redirected to http.*\/login\?….*: is a web page/);
  });

  test("half a model, from a server whose file is cut or has no announced end", async () => {
    const whole = readFileSync("models/shakespeare.gguf"),
      half = whole.subarray(0, whole.length >> 1);
    for (const fault of [{}, { noRanges: true }, { noLength: true }]) {
      server.plain.set("/half.gguf", { bytes: half });
      server.fault = () => fault;
      await rejectsWith(
        pull({}, undefined, "/half.gguf"),
        /^gguf\/tensor-outside-file$/,
        /half\.gguf: tensor .* ends at byte \d+, the file has \d+/,
      );
      server.plain.set("/half.gguf", { bytes: whole });
      assert.ok(contents(await pull({}, undefined, "/half.gguf")).equals(whole));
      await removeModel(`${server.url}/half.gguf`, place.hub);
    }
  });

  test("a page served in the middle of a download costs none of its parts", async () => {
    const controller = new AbortController();
    server.bytesPerSecond = 4_000_000;
    await assert.rejects(
      pull({ onProgress: ({ doneBytes }) => doneBytes > 5_000_000 && controller.abort() }, controller.signal),
    );
    server.bytesPerSecond = Infinity;
    for (const fault of [{ noRanges: true }, { noLength: true }]) {
      server.plain.set("/m.gguf", { bytes: text("<html>Log in</html>") });
      server.fault = () => fault;
      await rejectsWith(pull(), /^file\/unknown-format$/, /web page/);
    }
    server.plain.set("/m.gguf", { bytes, etag: '"one"' });
    server.fault = () => undefined;
    const pulled = await pull();
    assert.ok(contents(pulled).equals(bytes));
    assert.ok(pulled.fetchedBytes < bytes.length, `${pulled.fetchedBytes}`);
    // While parts come.
    server.plain.set("/n.gguf", { bytes, etag: '"one"' });
    server.requests.length = 0;
    server.fault = (_request, index) => (index === 2 ? { status: 200 } : undefined);
    assert.ok(contents(await pull({}, undefined, "/n.gguf")).equals(bytes));
  });

  test("kept by a version that did not check: counts as absent", async () => {
    await pull();
    const folder = join(place.urlFolder, "urls", readdirSync(join(place.urlFolder, "urls"))[0]),
      page = text("<html>Log in</html>");
    writeFileSync(join(folder, "m.gguf"), page);
    writeFileSync(
      join(folder, "m.gguf.json"),
      JSON.stringify({
        url: `${server.url}/m.gguf`,
        sizeBytes: page.length,
        hash: { algorithm: "sha256", hex: sha256(page) },
        isVerified: false,
      }),
    );
    await rejectsWith(pull({ offline: true }), /^hub\/offline$/, /m\.gguf/);
    assert.ok(contents(await pull()).equals(bytes));
  });

  test("is kept anyway when the caller gives its hash", async () => {
    const page = text("<html>A model of HTML</html>");
    server.plain.set("/page.html", { bytes: page });
    const pulled = await pull({ sha256: sha256(page) }, undefined, "/page.html");
    assert.equal(pulled.format, "other");
    assert.ok(contents(pulled).equals(page));
  });

  test("the bytes decide the format, not the name", async () => {
    server.plain.set("/download", { bytes });
    assert.equal((await pull({}, undefined, "/download?id=3")).format, "gguf");
  });
});

describe("unexpected answers", () => {
  const cases: readonly (readonly [name: string, fault: Fault, code: RegExp, message: RegExp])[] = [
    [
      "a range that is compressed",
      { headers: { "content-encoding": "gzip" } },
      /^hub\/bad-response$/,
      /compressed.*gzip/,
    ],
    ["a status that is none for files", { status: 204 }, /^hub\/server$/, /204/],
    ["more bytes than announced", { headers: { "content-range": "bytes 0-9/7000003" } }, /^hub\/length$/, /sent more/],
  ];
  for (const [name, fault, code, message] of cases) {
    test(name, async () => {
      server.fault = () => fault;
      await rejectsWith(pull({ attempts: 2 }), code, message);
      server.fault = () => undefined;
      assert.ok(contents(await pull()).equals(bytes));
    });
  }

  test("a body compressed on the way is unpacked and checked", async () => {
    server.plain.set("/m.gguf", { bytes: gzipSync(bytes) });
    server.fault = () => ({ noRanges: true, headers: { "content-encoding": "gzip" } });
    assert.ok(contents(await pull()).equals(bytes));
    server.plain.set("/p.gguf", { bytes: gzipSync("<html>") });
    await rejectsWith(pull({}, undefined, "/p.gguf"), /^file\/unknown-format$/, /web page/);
  });
});
