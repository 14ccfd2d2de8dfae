/**
 * What a schema demands of values of one type, as a formula over assertions, and the formula multiplied out: the
 * branches, each a list of assertions that hold together.
 *
 * @module
 */
import { fail } from "../../core/errors.ts";
import type { Assertion } from "./assertions.ts";
import { BRANCHES_MAX } from "./limits.ts";

export type Formula =
  | { readonly kind: "holds" }
  | { readonly kind: "fails" }
  | { readonly kind: "assertion"; readonly assertion: Assertion }
  | { readonly kind: "all" | "any"; readonly parts: readonly Formula[] }
  /** The schema `term`, or with a minus its negation, which amounts to `body`. */
  | { readonly kind: "term"; readonly term: number; readonly body: Formula }
  /** Cannot be expressed: throws when a branch needs it. */
  | { readonly kind: "refused"; readonly refuse: () => never };

export const HOLDS: Formula = { kind: "holds" };
export const FAILS: Formula = { kind: "fails" };

export function assertion(value: Assertion): Formula {
  return { kind: "assertion", assertion: value };
}

export function allOf(parts: Iterable<Formula>): Formula {
  const kept: Formula[] = [];
  for (const part of parts) {
    if (part.kind === "fails") return FAILS;
    if (part.kind === "all") for (const inner of part.parts) kept.push(inner);
    else if (part.kind !== "holds") kept.push(part);
  }
  return kept.length === 0 ? HOLDS : kept.length === 1 ? kept[0] : { kind: "all", parts: kept };
}

export function anyOf(parts: Iterable<Formula>): Formula {
  const kept: Formula[] = [];
  for (const part of parts) {
    if (part.kind === "holds") return HOLDS;
    if (part.kind === "any") for (const inner of part.parts) kept.push(inner);
    else if (part.kind !== "fails") kept.push(part);
  }
  return kept.length === 0 ? FAILS : kept.length === 1 ? kept[0] : { kind: "any", parts: kept };
}

export function termOf(term: number, body: Formula): Formula {
  return body.kind === "holds" || body.kind === "fails" ? body : { kind: "term", term, body };
}

/** Assertions that hold together. */
export type Branch = readonly Assertion[];

/** A list that shares its end with others. */
interface Linked<T> {
  readonly value: T;
  readonly next: Linked<T> | undefined;
}

interface Partial {
  waiting: Linked<Formula> | undefined;
  found: Linked<Assertion> | undefined;
  terms: Set<number>;
}

/** Parts of one alternative that a look at whether it holds anyway goes through. */
const IMPLIED_STEPS_MAX = 64;

/** Steps that all formulas of a schema may take together. */
export interface Steps {
  left: number;
}

/** How a formula is multiplied out. */
export interface Multiplying {
  /** Whether the assertions so far leave anything; `true` when in doubt. */
  readonly isPossible: (branch: Branch) => boolean;
  /** Whether the assertions so far imply another; `false` when in doubt. */
  readonly isImplied: (branch: Branch, assertion: Assertion) => boolean;
  readonly steps: Steps;
  /** Only to see whether there is a branch: takes what is refused for true, and gives up with the first. */
  readonly isLook?: boolean;
  readonly where: () => string;
}

/**
 * The branches of a formula: the values that fit any of them fit it.
 * @throws OnebitError `grammar/too-large` for more than `BRANCHES_MAX` of them, and what a refused part throws
 */
export function branchesOf(formula: Formula, how: Multiplying): Branch[] {
  const done: Branch[] = [];
  const open: Partial[] = [{ waiting: { value: formula, next: undefined }, found: undefined, terms: new Set() }];
  for (let partial = open.pop(); partial !== undefined; partial = open.pop()) {
    const forks = advanced(partial, how);
    if (forks === undefined) continue;
    const branch = listed(partial.found);
    const certain = forks.length === 0 ? branch : [...branch, ...certainOf(partial.waiting, how.steps)];
    if (!how.isPossible(certain)) continue;
    if (forks.some((fork) => isImplied(fork, certain, how))) {
      // One alternative holds anyway: the others add nothing.
      open.push(partial);
      continue;
    }
    if (forks.length === 0) done.push(branch);
    if (how.isLook && (done.length > 0 || open.length > BRANCHES_MAX)) return [branch];
    for (let i = forks.length - 1; i >= 0; i--) {
      const terms = i === 0 ? partial.terms : new Set(partial.terms);
      open.push({ waiting: { value: forks[i], next: partial.waiting }, found: partial.found, terms });
    }
    if (done.length + open.length > BRANCHES_MAX) tooMany(how);
  }
  return done;
}

/** Assertions that wait behind a choice and hold whatever is chosen. */
function certainOf(waiting: Linked<Formula> | undefined, steps: Steps): Assertion[] {
  const found: Assertion[] = [];
  const seen = new Set<number>();
  const visit = (formula: Formula): void => {
    steps.left--;
    if (formula.kind === "assertion") found.push(formula.assertion);
    else if (formula.kind === "all") formula.parts.forEach(visit);
    else if (formula.kind === "term" && !seen.has(formula.term)) {
      seen.add(formula.term);
      visit(formula.body);
    }
  };
  for (let part = waiting; part !== undefined; part = part.next) visit(part.value);
  return found;
}

/** Whether a formula holds anyway, as far as a short look tells. */
function isImplied(formula: Formula, branch: Branch, how: Multiplying): boolean {
  let left = IMPLIED_STEPS_MAX;
  const look = (part: Formula): boolean => {
    if (--left < 0) return false;
    if (part.kind === "assertion") return how.isImplied(branch, part.assertion);
    if (part.kind === "all") return part.parts.every(look);
    if (part.kind === "any") return part.parts.some(look);
    return part.kind === "term" ? look(part.body) : part.kind === "holds";
  };
  return look(formula);
}

function tooMany({ where }: Multiplying): never {
  return fail("grammar/too-large", `${where()}: its alternatives multiply to more than ${BRANCHES_MAX}`);
}

/**
 * Reads what waits up to the next choice, whose alternatives it returns; none at the end; undefined when the branch
 * contradicts itself.
 */
function advanced(partial: Partial, how: Multiplying): readonly Formula[] | undefined {
  while (partial.waiting !== undefined) {
    const formula: Formula = partial.waiting.value;
    partial.waiting = partial.waiting.next;
    if (--how.steps.left < 0) tooMany(how);
    if (formula.kind === "fails") return undefined;
    if (formula.kind === "refused" && !how.isLook) formula.refuse();
    if (formula.kind === "assertion") partial.found = { value: formula.assertion, next: partial.found };
    if (formula.kind === "any") return formula.parts;
    if (formula.kind === "all") {
      for (let i = formula.parts.length - 1; i >= 0; i--) {
        partial.waiting = { value: formula.parts[i], next: partial.waiting };
      }
    }
    if (formula.kind === "term") {
      if (partial.terms.has(-formula.term)) return undefined;
      if (!partial.terms.has(formula.term)) {
        partial.terms.add(formula.term);
        partial.waiting = { value: formula.body, next: partial.waiting };
      }
    }
  }
  return [];
}

function listed<T>(linked: Linked<T> | undefined): T[] {
  const list: T[] = [];
  for (let part = linked; part !== undefined; part = part.next) list.push(part.value);
  return list.reverse();
}
