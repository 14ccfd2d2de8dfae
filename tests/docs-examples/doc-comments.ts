/**
 * The docstrings of what the package exports: each entry of package.json is followed to where its names are declared,
 * and their members.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "@babel/parser";

export interface Documented {
  /** As a program imports it: `onebit/nn`. */
  readonly entry: string;
  /** `load`, `BitLinear`, `BitLinear.pack`, `ops.linear`. */
  readonly name: string;
  readonly path: string;
  /** The text of its docstring without the stars; empty where there is none. */
  readonly text: string;
}

/** What is read of a node of the syntax tree. */
interface Node {
  readonly type: string;
  readonly leadingComments?: readonly { readonly value: string }[] | null;
  readonly [key: string]: unknown;
}

/** A declaration, under the name it is exported by. */
interface Declared {
  readonly name: string;
  readonly path: string;
  readonly node: Node;
  /** The docstring of an `export` stands before the whole statement. */
  readonly comment: string;
}

/** The source of each entry, by the name programs import. */
export function entrySources(): Map<string, string> {
  const { exports } = JSON.parse(readFileSync("package.json", "utf8")) as {
    exports: Record<string, string | { types: string }>;
  };
  const sources = new Map<string, string>();
  for (const [name, entry] of Object.entries(exports)) {
    if (typeof entry === "string" || name === "./shakespeare") continue;
    const source = entry.types.replace("./dist/types/", "src/").replace(/\.d\.ts$/, ".ts");
    sources.set(join("onebit", name), source);
  }
  sources.set("onebit/shakespeare", "src/shakespeare.d.ts");
  return sources;
}

/** Every exported name and its members, each once for each entry that exports it. */
export function documentedNames(): Documented[] {
  return [...entrySources()].flatMap(([entry, path]) => {
    const module: Documented = { entry, name: "", path, text: firstComment(statementsOf(path)[0]) };
    return [module, ...exportsOf(path).flatMap((declared) => withMembers(entry, declared))];
  });
}

/** The programs in fenced `ts` blocks behind `@example`, and those examples that have none. */
export function examplesIn(text: string): { readonly programs: string[]; readonly bare: number } {
  const parts = text
    .split(/^@example\b/m)
    .slice(1)
    .map((part) => /^\s*```ts\n([\s\S]*?)^```$/m.exec(part)?.[1]);
  return { programs: parts.filter((part) => part !== undefined), bare: parts.filter((part) => !part).length };
}

function withMembers(entry: string, { name, path, node, comment }: Declared): Documented[] {
  const body = (node.body as Node | undefined)?.body;
  const members = /^(?:ClassDeclaration|TSInterfaceDeclaration)$/.test(node.type) ? (body as Node[]) : [];
  return [
    { entry, name, path, text: comment },
    ...members
      .filter(({ accessibility, key }) => accessibility !== "private" && (key as Node)?.type !== "PrivateName")
      .map((member) => {
        const key = member.key as { name?: string; property?: { name: string } } | undefined;
        return {
          entry,
          name: `${name}.${key?.name ?? key?.property?.name ?? "constructor"}`,
          path,
          text: commentOf(member),
        };
      }),
  ];
}

/** What a file exports, wherever it is declared. */
function exportsOf(path: string): Declared[] {
  const statements = statementsOf(path);
  return statements.flatMap((statement): Declared[] => {
    const source = (statement.source as { value: string } | null | undefined)?.value;
    if (statement.type === "ExportDefaultDeclaration") return [declaredAs("default", path, statement, statement)];
    if (statement.type !== "ExportNamedDeclaration") return [];
    if (statement.declaration) return declarationsIn(statement.declaration as Node, path, statement);
    return (statement.specifiers as Node[]).flatMap((specifier) => {
      const exported = (specifier.exported as { name: string }).name;
      if (source === undefined) throw new Error(`${path}: export { ${exported} } without a source`);
      const all = exportsOf(join(path, "..", source));
      if (specifier.type === "ExportNamespaceSpecifier")
        return all.map((declared) => ({ ...declared, name: `${exported}.${declared.name}` }));
      const local = (specifier.local as { name: string }).name;
      const found = all.find(({ name }) => name === local);
      if (found === undefined) throw new Error(`${path}: ${local} of ${source} is not found`);
      return [{ ...found, name: exported }];
    });
  });
}

function declarationsIn(declaration: Node, path: string, statement: Node): Declared[] {
  const declared = declaration.type === "VariableDeclaration" ? (declaration.declarations as Node[]) : [declaration];
  return declared.map((node) => declaredAs((node.id as { name: string }).name, path, node, statement));
}

function declaredAs(name: string, path: string, node: Node, statement: Node): Declared {
  return { name, path, node, comment: commentOf(statement) };
}

function statementsOf(path: string): Node[] {
  const { program } = parse(readFileSync(path, "utf8"), {
    sourceType: "module",
    plugins: path.endsWith(".d.ts") ? [["typescript", { dts: true }]] : ["typescript"],
  });
  return program.body as unknown as Node[];
}

/** The last docstring before a node: the one that is about it. */
function commentOf(node: Node): string {
  return plain(node.leadingComments?.at(-1)?.value ?? "");
}

/** The docstring of a module is the first thing in it. */
function firstComment(node: Node | undefined): string {
  return plain(node?.leadingComments?.[0]?.value ?? "");
}

function plain(comment: string): string {
  return comment
    .split("\n")
    .map((line) => line.replace(/^\s*\*? ?/, ""))
    .join("\n");
}
