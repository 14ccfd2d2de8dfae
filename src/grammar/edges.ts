/**
 * Derivatives: what must follow after a byte, for all 256 bytes of a node at once. Bytes that lead to the same are one
 * class.
 *
 * @module
 */
import type { Expressions } from "./expression.ts";
import { BOTH, BYTE, CHOICE, COMPLEMENT, type Edges, type Expression, REPEAT, SEQUENCE } from "./node.ts";

/** The derivatives of a regular node; computed once for each. */
export function edgesOf(expressions: Expressions, node: Expression): Edges {
  return (node.edges ??= derived(expressions, node));
}

function derived(expressions: Expressions, node: Expression): Edges {
  switch (node.kind) {
    case BYTE:
      return { classes: node.set!, targets: [expressions.nothing, expressions.empty] };
    case SEQUENCE:
      return ofSequence(expressions, node);
    case CHOICE:
      return ofChoice(expressions, node.parts);
    case REPEAT: {
      const part = node.parts[0];
      const rest = expressions.repeat(part, Math.max(node.min - 1, 0), node.max - 1);
      return mapped(edgesOf(expressions, part), (target) => expressions.sequence(target, rest));
    }
    case BOTH:
      return combined(
        expressions,
        node.parts.map((part) => edgesOf(expressions, part)),
        expressions.everything,
        (targets) => (targets.length === 0 ? expressions.everything : expressions.both(targets)),
      );
    case COMPLEMENT:
      return mapped(edgesOf(expressions, node.parts[0]), (target) => expressions.complement(target));
    default:
      return { classes: expressions.sets.shared(new Uint8Array(256)).classes, targets: [expressions.nothing] };
  }
}

/** Fewer members are combined one by one. */
const MANY = 16;

function ofChoice(expressions: Expressions, parts: readonly Expression[]): Edges {
  const all: Edges[] = [];
  const byByte = new Map<number, Expression[]>();
  for (const part of parts) {
    const [head, tail] = part.kind === SEQUENCE ? part.parts : [part, expressions.empty];
    const byte = parts.length > MANY && head.kind === BYTE ? onlyByte(head.set!) : -1;
    if (byte < 0) {
      all.push(edgesOf(expressions, part));
      continue;
    }
    const tails = byByte.get(byte);
    if (tails === undefined) byByte.set(byte, [tail]);
    else tails.push(tail);
  }
  if (byByte.size > 0) all.push(ofBytes(expressions, byByte));
  return combined(expressions, all, expressions.nothing, (targets) => expressions.choice(targets));
}

/** Texts of an enumeration: 20,000 of them by their first byte, without a table for each. */
function ofBytes(expressions: Expressions, byByte: ReadonlyMap<number, readonly Expression[]>): Edges {
  const classes = new Uint8Array(256);
  const targets = [expressions.nothing];
  for (const [byte, tails] of byByte) {
    // All 256 bytes leave no class for nothing.
    if (targets.length === 256) targets[0] = expressions.choice(tails);
    else classes[byte] = targets.push(expressions.choice(tails)) - 1;
  }
  return { classes: expressions.sets.shared(classes).classes, targets };
}

/** The one byte of a set; -1 for several. */
function onlyByte(set: Uint8Array): number {
  const first = set.indexOf(1);
  return set.indexOf(1, first + 1) < 0 ? first : -1;
}

/** What can begin a sequence: its first part, and while that may be empty the next. */
function ofSequence(expressions: Expressions, node: Expression): Edges {
  const all: Edges[] = [];
  let rest = node;
  for (;;) {
    const [head, tail] = rest.kind === SEQUENCE ? rest.parts : [rest, expressions.empty];
    all.push(mapped(edgesOf(expressions, head), (target) => expressions.sequence(target, tail)));
    if (!head.isNullable || tail === expressions.empty) break;
    rest = tail;
  }
  return combined(expressions, all, expressions.nothing, (targets) => expressions.choice(targets));
}

function mapped(edges: Edges, to: (target: Expression) => Expression): Edges {
  return { classes: edges.classes, targets: edges.targets.map(to) };
}

/** The product of several partitions; targets that are `neutral` are left out. */
function combined(
  expressions: Expressions,
  all: readonly Edges[],
  neutral: Expression,
  combine: (targets: readonly Expression[]) => Expression,
): Edges {
  if (all.length === 1) return all[0];
  let classes = all[0].classes;
  let lists = all[0].targets.map((target) => (target === neutral ? [] : [target]));
  for (let i = 1; i < all.length; i++) {
    const { targets } = all[i];
    const refined = expressions.sets.refined(classes, all[i].classes);
    const isTaken = new Uint8Array(lists.length);
    const next: Expression[][] = [];
    for (const { left } of refined.pairs) {
      const list = isTaken[left] === 1 ? lists[left].slice() : lists[left];
      isTaken[left] = 1;
      next.push(list);
    }
    refined.pairs.forEach(({ right }, at) => {
      if (targets[right] !== neutral) next[at].push(targets[right]);
    });
    classes = refined.classes;
    lists = next;
  }
  return { classes, targets: lists.map(combine) };
}
