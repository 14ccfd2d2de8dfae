/**
 * C's `strftime`, in local time and English: the same on every machine of one time zone.
 *
 * @module
 */
import type { Budget } from "./budget.ts";
import { concat, type MarkedText, templateText } from "./marked-text.ts";

const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

const two = (n: number): string => String(n).padStart(2, "0");

const CODES: Readonly<Record<string, (date: Date) => string>> = {
  Y: (date) => String(date.getFullYear()),
  C: (date) => two(Math.floor(date.getFullYear() / 100)),
  y: (date) => two(date.getFullYear() % 100),
  m: (date) => two(date.getMonth() + 1),
  d: (date) => two(date.getDate()),
  e: (date) => String(date.getDate()).padStart(2, " "),
  B: (date) => MONTHS[date.getMonth()],
  b: (date) => MONTHS[date.getMonth()].slice(0, 3),
  h: (date) => MONTHS[date.getMonth()].slice(0, 3),
  A: (date) => DAYS[date.getDay()],
  a: (date) => DAYS[date.getDay()].slice(0, 3),
  u: (date) => String(date.getDay() || 7),
  w: (date) => String(date.getDay()),
  H: (date) => two(date.getHours()),
  k: (date) => String(date.getHours()).padStart(2, " "),
  I: (date) => two(date.getHours() % 12 || 12),
  l: (date) => String(date.getHours() % 12 || 12).padStart(2, " "),
  M: (date) => two(date.getMinutes()),
  S: (date) => two(date.getSeconds()),
  f: (date) => `${String(date.getMilliseconds()).padStart(3, "0")}000`,
  p: (date) => (date.getHours() < 12 ? "AM" : "PM"),
  j: (date) => String(dayOfYear(date)).padStart(3, "0"),
  s: (date) => String(Math.floor(date.getTime() / 1000)),
  n: () => "\n",
  t: () => "\t",
  "%": () => "%",
};

/** Codes that expand to several others. */
const COMPOSED: Readonly<Record<string, string>> = {
  D: "%m/%d/%y",
  F: "%Y-%m-%d",
  R: "%H:%M",
  T: "%H:%M:%S",
  X: "%H:%M:%S",
  x: "%m/%d/%y",
  r: "%I:%M:%S %p",
  c: "%a %b %e %H:%M:%S %Y",
};

/** Unknown codes stay as they are, with their marks. `-` after the percent sign drops leading zeros and spaces. */
export function formatDate(format: MarkedText, date: Date, budget: Budget): MarkedText {
  const parts: MarkedText[] = [];
  let begin = 0;
  for (const match of format.text.matchAll(/%(-?)([a-zA-Z%])/g)) {
    const [whole, dash, code] = match;
    budget.spend(6);
    const text = Object.hasOwn(COMPOSED, code)
      ? formatDate(templateText(COMPOSED[code]), date, budget).text
      : Object.hasOwn(CODES, code)
        ? CODES[code](date)
        : undefined;
    if (text === undefined) continue;
    parts.push(format.slice(begin, match.index), templateText(dash === "" ? text : text.replace(/^[0 ]+(?=\d)/, "")));
    begin = match.index + whole.length;
  }
  parts.push(format.slice(begin));
  return concat(parts);
}

function dayOfYear(date: Date): number {
  const begin = Date.UTC(date.getFullYear(), 0, 1);
  return (Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) - begin) / 86_400_000 + 1;
}
