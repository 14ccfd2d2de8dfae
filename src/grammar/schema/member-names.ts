/**
 * The names of an object's members: those that the schema names, each with what its value must fit, and the classes of
 * all others, told apart by the patterns that they match.
 *
 * @module
 */
import type { Expression, Expressions } from "../expression.ts";
import {
  type Assertion,
  type Conjunction,
  isContradictory,
  joined,
  type Members,
  type NameSet,
  type Origin,
} from "./assertions.ts";
import type { Branch } from "./formula.ts";
import { unsupported } from "./keyword-rule.ts";
import { NAME_CLASSES_MAX, NAME_PATTERNS_MAX, SOME_NAMES_MAX } from "./limits.ts";
import type { Strings } from "./strings.ts";

/** What names need of the rest. */
export interface NameSource {
  readonly made: Expressions;
  readonly names: Strings;
  /** No value. */
  readonly never: number;
  /** The alternatives of a name that fits a conjunction. */
  nameBranches(conjunction: Conjunction): readonly Branch[];
}

/** A name of the schema. */
export interface NamedMember {
  readonly name: string;
  readonly value: Conjunction;
  readonly isRequired: boolean;
  /** No value fits, so it never stands there. */
  readonly isForbidden: boolean;
  /** Which of the demanded kinds of names it is, as bits. */
  readonly kinds: number;
}

/** Names that the schema does not name, and that are treated alike. */
export interface NameClass {
  readonly name: Expression;
  readonly value: Conjunction;
  readonly kinds: number;
}

export interface MemberNames {
  readonly named: readonly NamedMember[];
  readonly classes: readonly NameClass[];
  /** Kinds of names of which at least one must be there, as bits. */
  readonly demandedKinds: number;
}

const NOWHERE: Origin = { pointer: "", keyword: "patternProperties" };

export function memberNames(source: NameSource, branch: Branch): MemberNames {
  return new NameReader(source, branch).read();
}

function ofKind<Kind extends Assertion["kind"]>(branch: Branch, kind: Kind): Extract<Assertion, { kind: Kind }>[] {
  return branch.filter((part): part is Extract<Assertion, { kind: Kind }> => part.kind === kind);
}

class NameReader {
  readonly #source: NameSource;
  readonly #groups: readonly Members[];
  readonly #required: ReadonlySet<string>;
  readonly #languages: readonly Expression[];
  readonly #kinds: readonly NameSet[];
  readonly #patterns: readonly string[];
  /** Names that a `propertyNames` leaves, when they are constants. */
  readonly #constants: readonly string[] | undefined;

  constructor(source: NameSource, branch: Branch) {
    this.#source = source;
    this.#groups = ofKind(branch, "members");
    this.#required = new Set(ofKind(branch, "required").flatMap(({ names }) => names));
    const conjunctions = ofKind(branch, "names").map(({ name }) => name);
    this.#languages = conjunctions.map((name) => this.#language(name));
    this.#constants = conjunctions.map((name) => this.#constantNames(name)).find((names) => names !== undefined);
    const some = ofKind(branch, "some-name");
    if (some.length > SOME_NAMES_MAX)
      unsupported(some[0].origin, `leads to more than ${SOME_NAMES_MAX} demands on names`);
    this.#kinds = some.map(({ name }) => name);
    this.#patterns = [...new Set(this.#groups.flatMap(({ patterns }) => [...patterns.keys()]))];
    if (this.#patterns.length > NAME_PATTERNS_MAX) {
      unsupported(this.#groups[0].origin, `has more than ${NAME_PATTERNS_MAX} patterns for the same names`);
    }
  }

  read(): MemberNames {
    const names = this.#order();
    const named = names.map((name) => this.#named(name));
    const classes = this.#constants === undefined ? this.#classes(names) : [];
    return { named, classes, demandedKinds: 2 ** this.#kinds.length - 1 };
  }

  /** Names in the order of the schemas, then others that are required, then the rest. */
  #order(): string[] {
    const from = (isOrdering: boolean): string[] =>
      this.#groups
        .filter((group) => group.isOrdering === isOrdering)
        .flatMap(({ properties }) => [...properties.keys()]);
    return [...new Set([...from(true), ...this.#required, ...(this.#constants ?? []), ...from(false)])];
  }

  #named(name: string): NamedMember {
    const value = this.#groups
      .map(({ properties, patterns, additional }) => {
        const demands = [...patterns].filter(([pattern]) => this.#matches(pattern, name)).map(([, demand]) => demand);
        const own = properties.get(name);
        if (own !== undefined) demands.push(own);
        return demands.length > 0 ? demands.reduce(joined) : additional;
      })
      .reduce(joined, []);
    const { names } = this.#source;
    const isForbidden = this.#isNever(value) || !this.#languages.every((language) => names.matches(language, name));
    let kinds = 0;
    this.#kinds.forEach((kind, i) => {
      if (this.#kindMatches(kind, name)) kinds |= 1 << i;
    });
    return { name, value, isRequired: this.#required.has(name), isForbidden, kinds };
  }

  #isNever(value: Conjunction): boolean {
    return value.includes(this.#source.never) || isContradictory(value);
  }

  #matches(pattern: string, name: string): boolean {
    return this.#source.names.matches(this.#pattern(pattern), name);
  }

  #pattern(pattern: string): Expression {
    const group = this.#groups.find(({ patterns }) => patterns.has(pattern));
    return this.#source.names.pattern(pattern, group?.origin ?? NOWHERE);
  }

  #kindMatches({ fits, matching, others, not }: NameSet, name: string): boolean {
    return (
      !not.includes(name) &&
      matching.every((pattern) => this.#matches(pattern, name)) &&
      !others.some((pattern) => this.#matches(pattern, name)) &&
      (fits.length === 0 || this.#source.names.matches(this.#language(fits), name))
    );
  }

  #kindLanguage({ fits, matching, others, not }: NameSet): Expression {
    const { made, names } = this.#source;
    return made.both([
      names.anyText,
      ...(fits.length === 0 ? [] : [this.#language(fits)]),
      ...matching.map((pattern) => this.#pattern(pattern)),
      ...others.map((pattern) => made.complement(this.#pattern(pattern))),
      made.complement(made.choice(not.map((name) => names.constant(name)))),
    ]);
  }

  #language(name: Conjunction): Expression {
    const { made, names, nameBranches } = this.#source;
    return made.choice(nameBranches(name).map((branch) => names.expression(branch)));
  }

  #constantNames(name: Conjunction): string[] | undefined {
    const found: string[] = [];
    for (const branch of this.#source.nameBranches(name)) {
      const values = this.#source.names.values(branch);
      if (values === undefined) return undefined;
      for (const value of values) found.push(value);
    }
    return found;
  }

  /** The classes of names beside those given. */
  #classes(named: readonly string[]): NameClass[] {
    const { made, names } = this.#source;
    if (this.#patterns.length === 0 && this.#isNever(this.#value(new Set()))) return [];
    const others = named.length === 0 ? [] : [made.complement(made.choice(named.map((name) => names.constant(name))))];
    let open: { parts: Expression[]; matched: Set<string>; kinds: number }[] = [
      { parts: [...this.#languages, ...others], matched: new Set(), kinds: 0 },
    ];
    const isPossible = (parts: readonly Expression[]): boolean => !names.isEmpty(made.both([names.anyText, ...parts]));
    const split = (language: Expression, matched: string | undefined, kind: number): void => {
      open = open.flatMap((known) => {
        const within = [...known.parts, language];
        if (!isPossible(within)) return [known];
        const without = [...known.parts, made.complement(language)];
        const both = matched === undefined ? known.matched : new Set([...known.matched, matched]);
        const split = { parts: within, matched: both, kinds: known.kinds | kind };
        return isPossible(without) ? [{ ...known, parts: without }, split] : [split];
      });
      if (open.length > NAME_CLASSES_MAX) {
        unsupported(
          this.#groups[0]?.origin ?? NOWHERE,
          `makes more than ${NAME_CLASSES_MAX} classes of names; use fewer patterns that overlap`,
        );
      }
    };
    for (const pattern of this.#patterns) split(this.#pattern(pattern), pattern, 0);
    this.#kinds.forEach((kind, i) => split(this.#kindLanguage(kind), undefined, 1 << i));
    return this.#merged(open);
  }

  #merged(open: readonly { parts: Expression[]; matched: Set<string>; kinds: number }[]): NameClass[] {
    const { made, names } = this.#source;
    const byTreatment = new Map<string, { languages: Expression[]; value: Conjunction; kinds: number }>();
    for (const { parts, matched, kinds } of open) {
      const value = this.#value(matched);
      if (this.#isNever(value)) continue;
      const language = made.both([names.anyText, ...parts]);
      const key = `${value.join()}/${kinds}`;
      const same = byTreatment.get(key);
      if (same === undefined) byTreatment.set(key, { languages: [language], value, kinds });
      else same.languages.push(language);
    }
    return [...byTreatment.values()].map(({ languages, value, kinds }) => ({
      name: made.choice(languages),
      value,
      kinds,
    }));
  }

  /** What the value of a name must fit that the schema does not name, and that matches these patterns. */
  #value(matched: ReadonlySet<string>): Conjunction {
    return this.#groups
      .map(({ patterns, additional }) => {
        const demands = [...patterns].filter(([pattern]) => matched.has(pattern)).map(([, demand]) => demand);
        return demands.length > 0 ? demands.reduce(joined) : additional;
      })
      .reduce(joined, []);
  }
}
