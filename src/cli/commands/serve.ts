/**
 * `onebit serve`: models behind OpenAI's HTTP interface, and the chat page.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { fail, quoted } from "../../core/errors.ts";
import { packagePart } from "../../core/package-part.ts";
import { CHAT_PROMPT_OPTION_HELP, CHAT_PROMPT_OPTION_TYPES, chatPromptOptions } from "../chat-prompt-options.ts";
import { type Command, LOAD_OPTION_HELP, LOAD_OPTION_TYPES, type Options, loadOptions } from "../command.ts";
import { HUB_OPTION_HELP, HUB_OPTION_TYPES, hubOptions } from "../hub-options.ts";
import type { Screen } from "../screen.ts";
import { BOX_TEMPLATE, planModels } from "../served-models.ts";

const PORT_DEFAULT = 8080;
const HOST_DEFAULT = "127.0.0.1";
const PARALLEL_DEFAULT = 4;
const TIMEOUT_S_DEFAULT = 300;
/** After this a running answer is cut short. */
const CLOSE_DEADLINE_MS = 10_000;
const GIB = 1024 ** 3;
/** Four hundred conversations of 1,000 ids of BitNet 2B4T, with keys and values of 8 bits. */
const SNAPSHOT_GIB_DEFAULT = 16;

const { "chat-template": CHAT_TEMPLATE_TYPE } = CHAT_PROMPT_OPTION_TYPES;
const CHAT_TEMPLATE_HELP = CHAT_PROMPT_OPTION_HELP.filter(([option]) => option.startsWith("--chat-template"));
const LOOPBACK_HOSTS: readonly string[] = ["127.0.0.1", "localhost", "::1"];
/** Addresses to listen on that are no names to be asked under. */
const ALL_ADDRESSES: readonly string[] = ["0.0.0.0", "::"];

export const serve: Command = {
  name: "serve",
  summary: "Serve models to programs, by OpenAI's HTTP interface",
  usage: "onebit serve [MODEL …] [options]",
  notes: [
    "Serves until Ctrl-C; without a model, the one in the box. Several are loaded when they are asked for, by their",
    "file's name. The chat page is at /, the interface at /v1.",
  ],
  optionHelp: [
    ["--port N", `the port (default: ${PORT_DEFAULT}; 0: any free one)`],
    ["--host H", `the address to listen on (default: ${HOST_DEFAULT}; others need a key)`],
    ["--api-key KEY", "the key that requests must have; ONEBIT_API_KEY in the environment is safer"],
    ["--allow-host H", "a name that requests may have in Host, beside this machine's; may be given several times"],
    ["--allow-origin O", "a site whose pages may ask: https://example.com; may be given several times"],
    ["--parallel N", `requests answered at once (default: ${PARALLEL_DEFAULT})`],
    ["--queue N", "requests that may wait for that (default: 64)"],
    ["--timeout S", `seconds that a request may take (default: ${TIMEOUT_S_DEFAULT})`],
    ["--max-tokens N", "most tokens of one answer (default: what the context has room for)"],
    ["--memory G", "GiB for all models together (default: what is free); who was unused longest makes room"],
    ["--snapshots DIR", "where conversations with a name (x-conversation-id) keep what they have read"],
    ["--snapshot-space G", `GiB that the folder may have (default: ${SNAPSHOT_GIB_DEFAULT}); the oldest make room`],
    ...CHAT_TEMPLATE_HELP,
    ...LOAD_OPTION_HELP,
    ...HUB_OPTION_HELP,
  ],
  examples: ["onebit serve model.gguf", "onebit serve hf:prism-ml/Bonsai-1.7B-gguf --port 8000 --parallel 2"],
  optionTypes: {
    port: { type: "string" },
    host: { type: "string" },
    "api-key": { type: "string" },
    "allow-host": { type: "string", multiple: true },
    "allow-origin": { type: "string", multiple: true },
    parallel: { type: "string" },
    queue: { type: "string" },
    timeout: { type: "string" },
    "max-tokens": { type: "string" },
    memory: { type: "string" },
    snapshots: { type: "string" },
    "snapshot-space": { type: "string" },
    "chat-template": CHAT_TEMPLATE_TYPE,
    ...LOAD_OPTION_TYPES,
    ...HUB_OPTION_TYPES,
  },
  nPositionals: [0, 100],
  handlesInterrupt: true,
  async run({ terminal, options, library, positionals }) {
    const address = readAddress(options),
      parallel = options.integer("parallel", 1) ?? PARALLEL_DEFAULT,
      timeoutMs = (options.number("timeout") ?? TIMEOUT_S_DEFAULT) * 1000,
      memoryLimitBytes = gibOf(options, "memory"),
      snapshots = snapshotsOf(options);
    const models = await planModels(
      library,
      positionals,
      { ...loadOptions(options), hub: hubOptions(options), memoryLimitBytes },
      parallel,
    );
    // Chunks of their own: no other command needs them.
    const { createHandler, folderSnapshots, startNodeServer } = await packagePart(
      "the server",
      () => import("../../server/node-server.ts"),
    );
    // One model is there before the first request; several come when they are wanted.
    const only = models.length === 1 ? await models[0].load() : undefined;
    const { chatTemplate = positionals.length === 0 ? BOX_TEMPLATE : undefined } = chatPromptOptions(options);
    const handler = createHandler({
      models: Object.fromEntries(
        models.map(({ name, load, memoryBytes }) => [
          name,
          only === undefined ? { load, memoryBytes } : loadedFirst(only, load),
        ]),
      ),
      parallel,
      queue: options.integer("queue", 0),
      timeoutMs,
      maxTokens: options.integer("max-tokens", 1),
      apiKeys: address.apiKeys,
      allowedHosts: address.allowedHosts,
      allowedOrigins: options.texts("allow-origin"),
      // Nothing else makes room for one model, which is there.
      memoryLimitBytes: only === undefined ? (memoryLimitBytes ?? process.availableMemory()) : undefined,
      chatTemplate,
      snapshots: snapshots && folderSnapshots(snapshots.folder, snapshots.bytesMax),
      onError: (error) => terminal.err(`onebit: ${error instanceof Error ? error.message : String(error)}\n`),
    });
    const pageFolder = fileURLToPath(new URL("./web/", import.meta.url)),
      server = await startNodeServer(handler, { ...address, pageFolder, timeoutMs });
    await terminal.out(`${server.url}\n`);
    terminal.err(`onebit: serving ${models.map(({ name }) => name).join(", ")} at ${server.url}v1; Ctrl-C to stop\n`);
    await ended(terminal);
    terminal.err("onebit: letting running answers end\n");
    await server.close(CLOSE_DEADLINE_MS);
    await only?.close();
  },
};

/** What is loaded already, and where that is lost later, another. */
function loadedFirst<T>(model: T, load: () => Promise<T>): () => Promise<T> {
  let first: T | undefined = model;
  return async () => {
    const found = first ?? (await load());
    first = undefined;
    return found;
  };
}

interface Address {
  readonly host: string;
  readonly port: number;
  readonly apiKeys: readonly string[];
  readonly allowedHosts: readonly string[];
}

/** @throws OnebitError `usage` */
function readAddress(options: Options): Address {
  const port = options.integer("port", 0) ?? PORT_DEFAULT,
    host = options.text("host") ?? HOST_DEFAULT,
    key = options.text("api-key") ?? process.env["ONEBIT_API_KEY"];
  if (port > 65_535) fail("usage", `--port: wanted 0 to 65535, got ${port}`);
  const isLoopback = LOOPBACK_HOSTS.includes(host);
  if (!isLoopback && (key === undefined || key === ""))
    fail("usage", `--host: ${quoted(host)} lets other machines in: give a key too, --api-key or ONEBIT_API_KEY`);
  const own = isLoopback || ALL_ADDRESSES.includes(host) ? [] : [host.includes(":") ? `[${host}]` : host];
  return {
    host,
    port,
    apiKeys: key === undefined || key === "" ? [] : [key],
    allowedHosts: [...own, ...(options.texts("allow-host") ?? [])],
  };
}

/** Bytes. @throws OnebitError `usage` */
function gibOf(options: Options, name: string): number | undefined {
  const gib = options.number(name);
  if (gib !== undefined && gib <= 0) fail("usage", `--${name}: wanted a number of GiB above 0, got ${gib}`);
  return gib === undefined ? undefined : Math.floor(gib * GIB);
}

/** @throws OnebitError `usage` */
function snapshotsOf(options: Options): { readonly folder: string; readonly bytesMax: number } | undefined {
  const folder = options.text("snapshots"),
    bytesMax = gibOf(options, "snapshot-space");
  if (folder === undefined && bytesMax !== undefined) fail("usage", "--snapshot-space: needs --snapshots DIR");
  return folder === undefined ? undefined : { folder, bytesMax: bytesMax ?? SNAPSHOT_GIB_DEFAULT * GIB };
}

/** Resolves on Ctrl-C or SIGTERM; the next one has no listener and ends the program. */
function ended(terminal: Screen): Promise<void> {
  return new Promise((resolve) => {
    const stops = [terminal.onInterrupt(() => end()), terminal.onTerminate(() => end())];
    const end = (): void => {
      for (const stop of stops) stop();
      resolve();
    };
  });
}
