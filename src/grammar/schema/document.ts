/**
 * A schema document: its sub-schemas by JSON pointer, each with its draft and its base URI, and what references in it
 * point to. Nothing is fetched: a reference to another document is refused.
 *
 * @module
 */
import { fail, quoted } from "../../core/errors.ts";
import { ANY_DRAFT, type Draft, draftOf, isWithin } from "./drafts.ts";
import { atPointer, copiedJson, escapedToken, isList, isMap, type Json, type JsonMap } from "./json.ts";
import { checkValue, KEYWORDS, misspelt, type ValueKind } from "./keywords.ts";
import { POINTER_UNITS_MAX, SHAPES_MAX } from "./limits.ts";

/** One sub-schema. */
export interface SchemaNode {
  /** From 1; a negated schema is -id. */
  readonly id: number;
  readonly value: boolean | JsonMap;
  readonly pointer: string;
  readonly draft: Draft;
  /** Of the document or of the nearest `$id` above. */
  readonly base: string;
}

/** The base of a schema without `$id`: relative references resolve, and find nothing. */
const NO_BASE = "schema://document/";

/** Which keywords hold sub-schemas, in what. */
const HOLDS: Readonly<Partial<Record<ValueKind, "one" | "list" | "map" | "either">>> = {
  schema: "one",
  "schema-or-boolean": "one",
  schemas: "list",
  "schema-or-schemas": "either",
  "schema-map": "map",
  dependencies: "map",
};

interface Place {
  readonly value: Json;
  readonly pointer: string;
  readonly draft: Draft;
  readonly base: string;
}

export class SchemaDocument {
  readonly root: SchemaNode;
  /** The schema `false`. */
  readonly never: SchemaNode;
  readonly #json: Json;
  readonly #nodes: SchemaNode[] = [];
  readonly #byPointer = new Map<string, SchemaNode>();
  /** Places with their own draft or base, by pointer. */
  readonly #places = new Map<string, Place>();
  /** Pointers by absolute URI, with the fragment of anchors. */
  readonly #byUri = new Map<string, string>();
  /** Places of sub-schemas; what lies elsewhere is reached by references alone. */
  readonly #checked = new Set<number>();

  constructor(schema: unknown) {
    this.#json = copiedJson(schema);
    this.#index();
    this.never = this.synthetic(false, "");
    this.root = this.at("");
  }

  /** No `$id` or `$schema` but the document's own. */
  get hasOneResource(): boolean {
    return this.#places.size === 1;
  }

  /** The node of an id, or of its negation. */
  node(term: number): SchemaNode {
    return this.#nodes[Math.abs(term) - 1];
  }

  /** A schema that stands nowhere in the document; `pointer` is where it comes from. */
  synthetic(value: boolean | JsonMap, pointer: string): SchemaNode {
    const node = { id: this.#newId(), value, pointer, draft: ANY_DRAFT, base: NO_BASE };
    this.#nodes.push(node);
    // Its keywords are ours.
    this.#checked.add(node.id);
    return node;
  }

  /** The sub-schema under a keyword, or under a key or index of its value. */
  child(node: SchemaNode, ...keys: (string | number)[]): SchemaNode {
    let pointer = node.pointer;
    for (const key of keys) pointer += `/${escapedToken(String(key))}`;
    const known = this.#byPointer.get(pointer);
    if (known !== undefined) return known;
    let value: Json | undefined = node.value;
    for (const key of keys) value = memberOf(value, String(key));
    const own = this.#places.get(pointer) ?? node;
    return value === undefined ? this.at(pointer) : this.#added({ value, pointer, draft: own.draft, base: own.base });
  }

  /** The sub-schema at a JSON pointer. */
  at(pointer: string): SchemaNode {
    const known = this.#byPointer.get(pointer);
    if (known !== undefined) return known;
    return this.#added(this.#place(pointer));
  }

  #added({ value, pointer, draft, base }: Place): SchemaNode {
    checkPointer(pointer);
    if (typeof value !== "boolean" && !isMap(value)) {
      return fail("grammar/syntax", `${atPointer(pointer)}: wanted a schema, an object or true or false`);
    }
    const node = { id: this.#newId(), value, pointer, draft, base };
    this.#nodes.push(node);
    this.#byPointer.set(pointer, node);
    return node;
  }

  /**
   * Checks the keywords of a node, the first time it is read. Definitions that nothing refers to are never checked:
   * they change no verdict.
   */
  check(node: SchemaNode): void {
    if (this.#checked.has(node.id) || typeof node.value === "boolean") return;
    this.#checked.add(node.id);
    const where = atPointer(node.pointer);
    for (const [name, value] of node.value) {
      const keyword = KEYWORDS.get(name);
      if (keyword === undefined) {
        const meant = misspelt(name);
        if (meant === undefined) continue;
        fail("grammar/unsupported", `${where}: ${quoted(name)} is no keyword: did you mean ${meant}?`);
      } else if (isWithin(node.draft, keyword.first, keyword.last)) {
        if (!(name === "definitions" || name === "$defs")) checkValue(name, keyword, value, where);
      } else if (!keyword.isAnnotation) {
        const reason = `${quoted(name)} is no keyword of ${node.draft.name}, which the schema names as its draft`;
        fail("grammar/unsupported", `${where}: ${reason}`);
      }
    }
  }

  /** What a `$ref` of `node` points to. */
  resolve(node: SchemaNode, reference: string): SchemaNode {
    const where = `${atPointer(node.pointer)}: $ref ${quoted(reference)}`;
    const hash = reference.indexOf("#");
    const fragment = hash < 0 ? "" : decoded(reference.slice(hash + 1), where);
    const before = hash < 0 ? reference : reference.slice(0, hash);
    const uri = before === "" ? node.base : absolute(before, node.base);
    const resource = uri === undefined ? undefined : this.#byUri.get(uri);
    if (resource === undefined) {
      return fail("grammar/unsupported", `${where} points to another document; put it into $defs of this one`);
    }
    if (fragment === "" || fragment.startsWith("/")) return this.at(resource + fragment);
    const anchored = this.#byUri.get(`${uri}#${fragment}`);
    return this.at(anchored ?? fail("grammar/syntax", `${where} points to no anchor of the schema`));
  }

  #newId(): number {
    if (this.#nodes.length >= SHAPES_MAX)
      fail("grammar/too-large", `the schema has more than ${SHAPES_MAX} sub-schemas`);
    return this.#nodes.length + 1;
  }

  /** Walks all places of sub-schemas for `$id`, `$anchor` and `$schema`. */
  #index(): void {
    const waiting: Place[] = [{ value: this.#json, pointer: "", draft: ANY_DRAFT, base: NO_BASE }];
    for (let place = waiting.pop(); place !== undefined; place = waiting.pop()) {
      checkPointer(place.pointer);
      if (!isMap(place.value)) {
        if (place.pointer === "") this.#register(place, place);
        continue;
      }
      const own = this.#ownPlace(place, place.value);
      this.#register(own, place);
      for (const [name, value] of place.value) {
        const holds = HOLDS[KEYWORDS.get(name)?.value ?? "anything"];
        const pointer = `${own.pointer}/${name}`;
        const add = (part: Json, step: string): unknown =>
          waiting.push({ ...own, value: part, pointer: pointer + step });
        if (holds === "map" && isMap(value)) value.forEach((part, key) => add(part, `/${escapedToken(key)}`));
        else if ((holds === "list" || holds === "either") && isList(value))
          value.forEach((part, i) => add(part, `/${i}`));
        else if (holds === "one" || holds === "either") add(value, "");
      }
    }
  }

  #ownPlace(place: Place, value: JsonMap): Place {
    const schema = value.get("$schema");
    const draft = typeof schema === "string" ? draftOf(schema, atPointer(place.pointer)) : place.draft;
    const id = value.get(draft.idKeyword);
    // Beside $ref, drafts up to 7 read no $id.
    if (typeof id !== "string" || (draft.refStandsAlone && value.has("$ref"))) return { ...place, draft };
    if (id.startsWith("#")) {
      this.#byUri.set(place.base + id, place.pointer);
      return { ...place, draft };
    }
    return { ...place, draft, base: absolute(id.replace(/#$/, ""), place.base) ?? place.base };
  }

  #register(own: Place, given: Place): void {
    if (own.base !== given.base || given.pointer === "") {
      if (!this.#byUri.has(own.base)) this.#byUri.set(own.base, own.pointer);
      // The document keeps its old name too: references by JSON pointer to a document without $id.
      if (given.pointer === "") this.#byUri.set(given.base, "");
    }
    if (own.base !== given.base || own.draft !== given.draft || given.pointer === "") {
      this.#places.set(own.pointer, own);
    }
    if (!isMap(own.value)) return;
    for (const keyword of ["$anchor", "$dynamicAnchor"]) {
      const anchor = own.value.get(keyword);
      if (typeof anchor === "string") this.#byUri.set(`${own.base}#${anchor}`, own.pointer);
    }
  }

  /** The value at a pointer, with the draft and base of the nearest place above. */
  #place(pointer: string): Place {
    let value: Json | undefined = this.#json;
    let above = this.#places.get("")!;
    let path = "";
    for (const token of pointer.split("/").slice(1)) {
      const key = token.replaceAll("~1", "/").replaceAll("~0", "~");
      path += `/${escapedToken(key)}`;
      value = memberOf(value, key);
      if (value === undefined) return fail("grammar/syntax", `${atPointer(pointer)}: a $ref points here, to nothing`);
      above = this.#places.get(path) ?? above;
    }
    return { ...above, value, pointer };
  }
}

function checkPointer(pointer: string): void {
  if (pointer.length <= POINTER_UNITS_MAX) return;
  fail("grammar/too-large", `${atPointer(pointer.slice(0, 80))}…: a path of more than ${POINTER_UNITS_MAX} characters`);
}

function memberOf(value: Json | undefined, key: string): Json | undefined {
  if (isMap(value)) return value.get(key);
  return isList(value) && /^(0|[1-9]\d*)$/.test(key) ? value[Number(key)] : undefined;
}

function absolute(reference: string, base: string): string | undefined {
  try {
    const url = new URL(reference, base);
    url.hash = "";
    return url.href.replace(/#$/, "");
  } catch {
    return undefined;
  }
}

function decoded(fragment: string, where: string): string {
  try {
    return decodeURIComponent(fragment);
  } catch {
    return fail("grammar/syntax", `${where} has a % that begins no escape`);
  }
}
