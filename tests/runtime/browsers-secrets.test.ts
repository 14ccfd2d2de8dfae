/**
 * A caller's secret headers and token in real browsers, whose fetch hides where a redirect leads: they stay with the
 * host that they are for. `tests/hub/hidden-redirects.test.ts` has more cases, with a stand-in for fetch.
 *
 * ONEBIT_BROWSERS=all runs it: `.ci/run browsers` brings the browsers.
 */
import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { runPages } from "./browser.ts";
import { BROWSERS } from "./browser-kinds.ts";
import { nameOf } from "./browser-process.ts";
import { type InstalledPackage, installPackage } from "./installed-package.ts";
import { RedirectingServers } from "./redirecting-servers.ts";
import { SECRETS, type SecretHeadersReport } from "./secret-headers.ts";

const TIMEOUT_MS = 120_000;
const SECRET_NAMES = Object.keys(SECRETS).map((name) => name.toLowerCase());
const skip = process.env.ONEBIT_BROWSERS === "all" ? false : "runs in .ci/run browsers";

describe("secret headers behind hidden redirects", { skip }, () => {
  let installed: InstalledPackage;
  before(async () => {
    installed = await installPackage("browsers-secrets", ["tests/runtime/secret-headers.ts"]);
  });
  after(() => rmSync(installed.folder, { recursive: true, force: true }));

  for (const browser of BROWSERS.filter(({ given }) => given === undefined)) {
    test(nameOf(browser), async () => {
      const file = readFileSync(join(installed.folder, "models", `${installed.models[0]}.gguf`));
      const servers = await RedirectingServers.start(new Uint8Array(file));
      try {
        writeFileSync(
          join(installed.folder, "secrets-page.js"),
          `import { platformWithHub, pull } from "/node_modules/onebit/dist/hub.js";
          import { askWithSecrets } from "/secret-headers.js";
          globalThis.runPage = () => askWithSecrets({ platformWithHub, pull }, "${servers.origin}");`,
        );
        const page = { name: "secrets", script: "secrets-page.js", headers: {} };
        const result = (await runPages(browser, installed.folder, [page], TIMEOUT_MS)).results.get("secrets");
        assert.ok(result !== undefined && "report" in result, JSON.stringify(result));
        assert.deepEqual(result.report as SecretHeadersReport, { open: "ok", guarded: "hub/redirect", token: "ok" });
        assertKept(servers);
      } finally {
        await servers.stop();
      }
    });
  }
});

/** The host that secrets are for got each of them; the other origin got files, and no secret. */
function assertKept({ trusted, elsewhere }: RedirectingServers): void {
  for (const path of ["/open/m.gguf", "/guarded/m.gguf", "/owner/model/"])
    assert.ok(
      trusted.some(({ url }) => url.startsWith(path)),
      `no secret came to ${path}`,
    );
  for (const path of ["/open/m.gguf", "/owner/model/"])
    assert.ok(
      elsewhere.some(({ method, url }) => method === "GET" && url.startsWith(path)),
      `${path} was not followed`,
    );
  const isSecret = (name: string): boolean => SECRET_NAMES.includes(name);
  const isControl = ({ url }: { readonly url: string }): boolean => url === "/control/m.gguf";
  // WebKitGTK asks leave for `authorization` behind a redirect, and then sends none.
  const told = elsewhere.filter((request) => !isControl(request) && request.names.some(isSecret));
  assert.deepEqual(
    told.map(({ method, url }) => `${method} ${url}`),
    [],
  );
  const controls = elsewhere.filter(isControl);
  assert.ok(
    controls.some(({ names, asked }) => [...names, ...asked].some(isSecret)),
    "this browser takes no header along: the test shows nothing",
  );
}
