/** `@huggingface/jinja`, what transformers.js renders chat templates with, where it is installed. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import type { Outcome, Task } from "./jinja2.ts";

const FOLDER = "tests/conformance/node_modules";

export const hfJinjaInstalled = existsSync(`${FOLDER}/@huggingface/jinja`);

/** What is used of the library. */
interface Library {
  readonly Template: new (source: string) => { render(data: Readonly<Record<string, unknown>>): string };
}

/** One template, parsed once. */
export function rendererOfHfJinja(source: string): (data: Task["data"]) => Outcome {
  const { Template } = createRequire(resolve(`${FOLDER}/x.js`))("@huggingface/jinja") as Library;
  let template: InstanceType<typeof Template>;
  return (data) => {
    try {
      template ??= new Template(source);
      return { text: template.render(data) };
    } catch (error) {
      return { error: (error as Error).name, message: (error as Error).message };
    }
  };
}
