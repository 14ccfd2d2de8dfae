/**
 * The schemas of a document by their ids, read when they are needed: what each demands of values of one type, and the
 * branches of a conjunction of them.
 *
 * @module
 */
import { fail } from "../../core/errors.ts";
import { type Conjunction, isContradictory, JSON_TYPES, type JsonType } from "./assertions.ts";
import { SchemaDocument, type SchemaNode } from "./document.ts";
import { allOf, type Branch, branchesOf, FAILS, type Formula, HOLDS, termOf } from "./formula.ts";
import { atPointer, type Json, jsonText } from "./json.ts";
import { keywordFormula } from "./keyword-formulas.ts";
import type { SchemaSource } from "./keyword-rule.ts";
import { APPLIED_DEPTH_MAX, BRANCH_STEPS_MAX } from "./limits.ts";
import { isImplied, isPossible } from "./possible.ts";

/** Levels of members that a search for contradictions looks into: enough for a discriminator inside another object. */
const LOOK_DEPTH = 3;

/** Ends a look that leads to a schema which is being read. */
const UNDERWAY = new Error("underway");

export class Schemas implements SchemaSource {
  readonly document: SchemaDocument;
  readonly #formulas = new Map<string, Formula>();
  readonly #underway = new Set<string>();
  readonly #branches = new Map<string, readonly Branch[]>();
  readonly #constants = new Map<string, number>();
  readonly #impossible = new Map<string, boolean>();
  /** Looks for contradictions that are underway. */
  #looks = 0;
  readonly #steps = { left: BRANCH_STEPS_MAX };

  constructor(schema: unknown) {
    this.document = new SchemaDocument(schema);
  }

  conjunction(node: SchemaNode, holds = true): Conjunction {
    const isTrue = node.value === true || (node.value !== false && node.value.size === 0);
    if (isTrue || node.value === false) return isTrue === holds ? [] : this.never;
    return [holds ? node.id : -node.id];
  }

  get never(): Conjunction {
    return [this.document.never.id];
  }

  constant(value: Json, pointer: string): Conjunction {
    const key = jsonText(value);
    let id = this.#constants.get(key);
    if (id === undefined) {
      id = this.document.synthetic(new Map([["const", value]]), pointer).id;
      this.#constants.set(key, id);
    }
    return [id];
  }

  formula(term: number, type: JsonType): Formula {
    const key = `${term}${type}`;
    const known = this.#formulas.get(key);
    if (known !== undefined) return known;
    const node = this.document.node(term);
    const where = (): string => atPointer(node.pointer);
    if (this.#underway.has(key)) {
      if (this.#looks > 0) throw UNDERWAY;
      return fail("grammar/unsupported", `${where()}: $ref leads back to itself before any value is read`);
    }
    if (this.#underway.size >= APPLIED_DEPTH_MAX) {
      return fail("grammar/too-large", `${where()}: more than ${APPLIED_DEPTH_MAX} schemas apply to the same value`);
    }
    this.#underway.add(key);
    try {
      const formula = this.#read(node, term > 0, type);
      this.#formulas.set(key, formula);
      return formula;
    } finally {
      this.#underway.delete(key);
    }
  }

  /** Alternatives for a value of a type that fits all of a conjunction. */
  branches(conjunction: Conjunction, type: JsonType): readonly Branch[] {
    const key = `${conjunction.join()}${type}`;
    let branches = this.#branches.get(key);
    if (branches === undefined) {
      branches = isContradictory(conjunction)
        ? []
        : branchesOf(this.#whole(conjunction, type), {
            isPossible: (branch) => isPossible(this, branch, LOOK_DEPTH),
            isImplied: (branch, part) => isImplied(this, branch, part, LOOK_DEPTH),
            steps: this.#steps,
            where: () => atPointer(this.document.node(conjunction[0] ?? 1).pointer),
          });
      this.#branches.set(key, branches);
    }
    return branches;
  }

  /**
   * Whether a look at constants and types is enough to see that nothing fits a conjunction. `false` says nothing.
   * @param depth levels of members to look into
   */
  isImpossible(conjunction: Conjunction, depth: number, types: readonly JsonType[] = JSON_TYPES): boolean {
    if (conjunction.length === 0) return false;
    if (conjunction.includes(this.document.never.id) || isContradictory(conjunction)) return true;
    if (depth < 0) return false;
    const key = `${conjunction.join()}/${depth}${types.length === 1 ? types[0] : ""}`;
    const known = this.#impossible.get(key);
    if (known !== undefined) return known;
    // In the midst of reading one of them, nothing is known of it yet.
    this.#impossible.set(key, false);
    const found = types.every((type) => this.#isImpossibleFor(conjunction, type, depth));
    this.#impossible.set(key, found);
    return found;
  }

  #isImpossibleFor(conjunction: Conjunction, type: JsonType, depth: number): boolean {
    this.#looks++;
    try {
      const branches = branchesOf(this.#whole(conjunction, type), {
        isPossible: (branch) => isPossible(this, branch, depth - 1),
        isImplied: () => false,
        steps: this.#steps,
        isLook: true,
        where: () => "",
      });
      return branches.length === 0;
    } catch (error) {
      // It leads to what is being read just now, of which nothing is known yet.
      if (error === UNDERWAY) return false;
      throw error;
    } finally {
      this.#looks--;
    }
  }

  #whole(conjunction: Conjunction, type: JsonType): Formula {
    return allOf(conjunction.map((term) => termOf(term, this.formula(term, type))));
  }

  #read(node: SchemaNode, holds: boolean, type: JsonType): Formula {
    if (typeof node.value === "boolean") return node.value === holds ? HOLDS : FAILS;
    this.document.check(node);
    return keywordFormula({ schemas: this, node, value: node.value, type }, holds);
  }
}
