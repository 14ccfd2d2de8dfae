/**
 * Checks of the options of layers: what was wanted and what was found, before memory is taken.
 *
 * @module
 */
import { fail } from "../core/errors.ts";

/** @throws OnebitError `option/invalid` */
export function requireCount(value: number, name: string, most = Number.MAX_SAFE_INTEGER): number {
  if (Number.isSafeInteger(value) && value >= 1 && value <= most) return value;
  return fail("option/invalid", `${name}: wanted a whole number ${most === Number.MAX_SAFE_INTEGER ? "from 1 on" : `in 1…${most}`}, got ${value}`);
}

/** @throws OnebitError `option/invalid` */
export function requireOneOf<T extends string | number>(value: T, allowed: readonly T[], name: string): T {
  return allowed.includes(value) ? value : fail("option/invalid", `${name}: wanted ${allowed.join(", ")}, got ${String(value)}`);
}

/** @throws OnebitError `option/invalid` */
export function requireRate(value: number, name: string): number {
  return value >= 0 && value < 1 ? value : fail("option/invalid", `${name}: wanted a rate from 0 to below 1, got ${value}`);
}

/** @throws OnebitError `option/invalid` */
export function requirePositive(value: number, name: string): number {
  return value > 0 && value < Infinity ? value : fail("option/invalid", `${name}: wanted a number above 0, got ${value}`);
}

/** @throws OnebitError `option/invalid` */
export function requireSeed(value: number): number {
  return Number.isSafeInteger(value) && value >= 0 ? value : fail("option/invalid", `seed: wanted a whole number from 0 on, got ${value}`);
}

/** @throws OnebitError `option/invalid`: what a packed layer has not */
export function notOfPacked(what: string): never {
  return fail("option/invalid", `${what}: a packed layer is for inference and has no learned weights; use the layer it was packed from`);
}
