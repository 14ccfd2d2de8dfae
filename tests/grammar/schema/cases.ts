/** Runs tables of schemas with values that fit and values that do not. */
import { describe, test } from "node:test";
import { expectRefused, expectTexts } from "./texts.ts";

export interface Case {
  readonly schema: unknown;
  readonly fits: readonly unknown[];
  readonly not: readonly unknown[];
}

/** Where nothing fits, the schema must be refused. */
export function runCases(tables: Readonly<Record<string, readonly Case[]>>): void {
  for (const [name, cases] of Object.entries(tables)) {
    describe(name, () => {
      for (const { schema, fits, not } of cases) {
        const title = JSON.stringify(schema).slice(0, 140);
        test(title, () => {
          if (fits.length === 0) expectRefused(schema, "grammar/unsupported", /nothing fits/);
          else expectTexts(schema, fits, not);
        });
      }
    });
  }
}
