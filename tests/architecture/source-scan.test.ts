import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { blankNonCode, functionSpans, importedModules, topLevelEffects } from "./source-scan.ts";

const lengths = (source: string): number[] => functionSpans(source).map((span) => span.lines);

describe("blankNonCode", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["a // b {", "a     "],
    ["a /* { \n */ b", "a     \n    b"],
    ['x("}") + y', "x(   ) + y"],
    ["'\\'{' + z", "      + z"],
    ["`a${b}c`", "` ${b} `"],
    ["`a${ f({c: `d${e}`}) }g` + h", "` ${ f({c: ` ${e}`}) } ` + h"],
    ['x = /[/{]"/g; y', "x =         ; y"],
    ["a / b / c", "a / b / c"],
    ["(a) / 2; // c", "(a) / 2;     "],
  ];
  for (const [source, wanted] of cases) {
    test(source, () => {
      const blanked = blankNonCode(source);
      assert.equal(blanked.length, source.length);
      assert.equal(blanked.replace(/ +/g, " ").trim(), wanted.replace(/ +/g, " ").trim());
    });
  }
});

describe("functionSpans", () => {
  test("declarations, methods, accessors, arrows, with return types", () => {
    assert.deepEqual(lengths("function a() {\n}\n"), [2]);
    assert.deepEqual(lengths("async function a(b: { c: number }): Promise<{ d: string }> {\n\n}\n"), [3]);
    assert.deepEqual(lengths("function a(): { b: number } {\n}\n"), [2]);
    assert.deepEqual(lengths("function a(b: unknown): b is Map<string, () => void> {\n}\n"), [2]);
    assert.deepEqual(lengths("class A {\n  b(): void {\n  }\n  get c() {\n    return 1;\n  }\n}\n"), [2, 3]);
    assert.deepEqual(lengths("const a = (b: number) => {\n\n};\n"), [3]);
    assert.deepEqual(lengths("const a = async (b: number): Promise<void> => {\n};\n"), [2]);
    assert.deepEqual(lengths("a.map(b => {\n});\n"), [2]);
    assert.deepEqual(lengths("export function a<T extends { b: string }>(\n  c: T,\n): T[] {\n}\n"), [4]);
  });
  test("not statements, types, classes, ternaries, objects", () => {
    assert.deepEqual(lengths("if (a) {\n}\nfor (const b of c) {\n}\nwhile (d) {\n}\nswitch (e) {\n}\n"), []);
    assert.deepEqual(lengths("for await (const a of b) {\n}\ntry {\n} catch (c) {\n}\n"), []);
    assert.deepEqual(lengths("type A = { b: (c: number) => void };\ninterface D {\n  e(f: number): void;\n}\n"), []);
    assert.deepEqual(lengths("class A extends mixin(B) {\n}\n"), []);
    assert.deepEqual(lengths("const a = b ? c(d) : { e: 1,\n f: 2 };\n"), []);
  });
  test("a brace in a string or comment does not end a function", () => {
    assert.deepEqual(lengths('function a() {\n  b("}");\n  // }\n  return `}${c}`;\n}\n'), [5]);
  });
});

test("importedModules sees every form and nothing in strings or comments", () => {
  const source = [
    'import { a } from "./a.ts";',
    'import type { B } from "./b.ts";',
    'import {\n  c,\n  d,\n} from "./c.ts";',
    'export * from "./d.ts";',
    'export { e } from "./e.ts";',
    'export type { F } from "./f.ts";',
    'import "./g.ts";',
    'const h = await import("./h.ts");',
    '// import { z } from "./z.ts";',
    "const text = \"import { y } from './y.ts'\";",
    'export const w = "./w.ts";',
    'export function v(u: string) { return "from"; }',
  ].join("\n");
  const found = importedModules(source);
  assert.deepEqual(
    found.map((module) => module.specifier).sort(),
    ["a", "b", "c", "d", "e", "f", "g", "h"].map((name) => `./${name}.ts`),
  );
  const typeOnly = found.filter((module) => module.typeOnly).map((module) => module.specifier);
  assert.deepEqual(typeOnly, ["./b.ts", "./f.ts"]);
});

test("topLevelEffects sees what is done on import and what may change, and nothing else", () => {
  const pure = [
    'import "./a.ts";',
    "export const a = `${1}\n`;",
    "const b = () => { let c = 1; c++; };",
    "export default b;",
    "function d() {}",
    "class E {}",
    "interface F {}",
    "export type G = 1;",
  ];
  assert.deepEqual(topLevelEffects(pure.join("\n")), []);
  for (const effect of ["let a = 1;", "export let b = 2;", "var c;", "a();", "await b;", "if (a) b();", "a = 1;"])
    assert.deepEqual(topLevelEffects(`const z = 1;\n${effect}`), [2], effect);
});
