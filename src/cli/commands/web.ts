/**
 * `onebit web`: serves the chat page to a browser, or writes it as one file.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { fail, quoted } from "../../core/errors.ts";
import { startStaticServer } from "../../server/static-server.ts";
import { writeCommandFile } from "../command-files.ts";
import type { Command } from "../command.ts";

const PORT_DEFAULT = 8321;
const HOST_DEFAULT = "localhost";

/** Elements of the single-file page that hold files, in base64. */
const PLACE = /(?<=<script type="text\/plain" id="([\w.-]+)">)(?=<\/script>)/g;

/** Each system's program to open the browser. */
const OPENERS: Readonly<Partial<Record<NodeJS.Platform, readonly [program: string, ...args: string[]]>>> = {
  darwin: ["open"],
  win32: ["cmd", "/c", "start", ""],
  linux: ["xdg-open"],
};

export const web: Command = {
  name: "web",
  summary: "Serve the chat page, which runs models in the browser",
  usage: "onebit web [options]",
  notes: ["Serves until Ctrl-C. The browser computes; this program only serves the page's files."],
  optionHelp: [
    ["--port N", `the port (default: ${PORT_DEFAULT}; 0: any free one)`],
    [
      "--host H",
      `the address to listen on (default: ${HOST_DEFAULT}; 0.0.0.0 for the whole network, where browsers give a ` +
        "page without https neither threads nor storage)",
    ],
    ["--open", "open the page in a browser"],
    ["--out FILE", "write the page, with the bundled model, as one file that needs no server, and exit"],
  ],
  examples: ["onebit web --open", "onebit web --port 0", "onebit web --out onebit.html"],
  optionTypes: {
    port: { type: "string" },
    host: { type: "string" },
    open: { type: "boolean" },
    out: { type: "string" },
  },
  nPositionals: [0, 0],
  async run({ terminal, options, signal }) {
    const out = options.text("out");
    if (out !== undefined && !/\.html?$/i.test(out))
      fail("usage", `--out: the page is HTML: wanted a file that ends in .html, got ${quoted(out)}`);
    if (out !== undefined) return await writeSinglePage(out);
    const port = options.integer("port", 0) ?? PORT_DEFAULT,
      host = options.text("host") ?? HOST_DEFAULT;
    if (port > 65_535) fail("usage", `--port: wanted 0 to 65535, got ${port}`);
    const server = await startStaticServer({ folder: fileURLToPath(new URL("./web/", import.meta.url)), host, port });
    try {
      await terminal.out(`${server.url}\n`);
      terminal.err("onebit: serving the chat page; Ctrl-C to stop\n");
      if (options.flag("open")) openInBrowser(server.url, (message) => terminal.err(`onebit: ${message}\n`));
      await aborted(signal);
    } finally {
      await server.close();
    }
  },
};

/** @throws OnebitError `file/write` */
async function writeSinglePage(path: string): Promise<void> {
  const inPackage = (name: string) => readFile(new URL(name, import.meta.url)),
    page = (await inPackage("./single-page.html")).toString(),
    files = new Map<string, string>();
  for (const [, id] of page.matchAll(PLACE)) {
    const name = id === "default-model" ? "shakespeare.gguf" : `${id}.wasm`;
    files.set(id, (await inPackage(`./web/${name}`)).toString("base64"));
  }
  const filled = page.replace(PLACE, (_, id: string) => files.get(id) ?? "");
  await writeCommandFile(path, "the page", filled);
}

function openInBrowser(url: string, complain: (message: string) => void): void {
  const [program, ...args] = OPENERS[process.platform] ?? ["xdg-open"];
  const child = spawn(program, [...args, url], { stdio: "ignore", detached: true });
  child.on("error", () => complain(`cannot start a browser (${program}); open ${url} yourself`));
  child.unref();
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
