/**
 * The formats of JSON Schema as patterns over the whole string.
 *
 * Sources: RFC 3339 (dates, times, durations), RFC 5321 (mailboxes), RFC 1123 (host names), RFC 2673 and 4291
 * (addresses), RFC 3986 and 3987 (URIs and IRIs), RFC 4122 (UUIDs), RFC 6570 (templates), RFC 6901 (pointers).
 *
 * A format of no draft (`int32`, `color`, a program's own) is an annotation, as the specification wants it, unless it
 * is spelt almost like one that is known.
 *
 * @module
 */

/** One format. */
export interface Format {
  /** Must match the whole string. */
  readonly pattern: string;
  /** Longest string, in code points. */
  readonly charactersMax?: number;
  /** The pattern matches some but not all of what the format allows, so that it cannot be negated. */
  readonly isNarrower?: boolean;
}

const DIGIT = "[0-9]";
const HEX = "[0-9A-Fa-f]";

// 31 days, 30 days, up to 28, and the 29th in years divisible by 4 but not by 100 unless by 400.
const LEAP_YEAR = `(?:${DIGIT}{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)`;
const DATE =
  `(?:${DIGIT}{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]${DIGIT}|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]${DIGIT}|30)` +
  `|02-(?:0[1-9]|1${DIGIT}|2[0-8]))|${LEAP_YEAR}-02-29)`;

const HOUR = `(?:[01]${DIGIT}|2[0-3])`;
const FRACTION = `(?:\\.${DIGIT}+)?`;
const OFFSET = `(?:[Zz]|[+-]${HOUR}:[0-5]${DIGIT})`;

/**
 * A second of 60 comes at 23:59 UTC: at another local time for each offset. Offsets of whole and half hours have one;
 * those of quarters, in Nepal and three other places, are left out.
 */
function leapSeconds(): string {
  const hour = (value: number): string => String(value % 24).padStart(2, "0");
  const hours = Array.from({ length: 24 }, (_, local) => {
    const whole = `59:60${FRACTION}(?:\\+${hour(local + 1)}|-${hour(23 - local)}):00`;
    const half = `29:60${FRACTION}(?:\\+${hour(local)}|-${hour(23 - local)}):30`;
    return `${hour(local)}:(?:${whole}|${half})`;
  });
  return [`23:59:60${FRACTION}[Zz]`, ...hours].join("|");
}

const TIME = `(?:${HOUR}:[0-5]${DIGIT}:[0-5]${DIGIT}${FRACTION}${OFFSET}|${leapSeconds()})`;

const number = (unit: string): string => `${DIGIT}+${unit}`;
/** One to three units in their order, none left out between. */
const units = (first: string, second: string, third: string): string => {
  const [one, two, three] = [first, second, third].map(number);
  return `(?:${one}(?:${two}(?:${three})?)?|${two}(?:${three})?|${three})`;
};
const HOURS = units("H", "M", "S");
const DAYS = units("Y", "M", "D");
const DURATION = `P(?:${number("W")}|${DAYS}(?:T${HOURS})?|T${HOURS})`;

const OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
const IPV4 = `${OCTET}(?:\\.${OCTET}){3}`;

/** Up to 8 groups, the last two also as IPv4; one `::` stands for those that are missing. */
function ipv6(): string {
  const group = `${HEX}{1,4}`;
  const last = `(?:${group}:${group}|${IPV4})`;
  const shapes = [`(?:${group}:){6}${last}`, `::(?:${group}:){5}${last}`];
  for (let behind = 4; behind >= 0; behind--) {
    const before = 5 - behind - 1;
    const head = before === 0 ? `(?:${group})?` : `(?:(?:${group}:){0,${before}}${group})?`;
    shapes.push(`${head}::(?:${group}:){${behind}}${last}`);
  }
  shapes.push(`(?:(?:${group}:){0,5}${group})?::${group}`, `(?:(?:${group}:){0,6}${group})?::`);
  return `(?:${shapes.join("|")})`;
}
const IPV6 = ipv6();

/** A label; with hyphens in the third and fourth place it would have to be valid Punycode, which no pattern tells. */
const ALNUM = "[A-Za-z0-9]";
const LABEL =
  `(?:${ALNUM}{1,2}|${ALNUM}[A-Za-z0-9-]${ALNUM}` +
  `|${ALNUM}[A-Za-z0-9-](?:${ALNUM}[A-Za-z0-9-]|-${ALNUM})(?:[A-Za-z0-9-]{0,58}${ALNUM})` +
  `|${ALNUM}[A-Za-z0-9-][A-Za-z0-9-]${ALNUM})`;
const HOSTNAME = `${LABEL}(?:\\.${LABEL})*`;

const ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
const QUOTED = '"(?:[ !#-\\[\\]-~]|\\\\[ -~])*"';
const EMAIL = `(?:${ATOM}(?:\\.${ATOM})*|${QUOTED})@(?:${HOSTNAME}|\\[(?:${IPV4}|IPv6:${IPV6})\\])`;

/** The generic syntax of RFC 3986; `more` are further characters that names may have (RFC 3987). */
function uris(more: string, inQuery: string): { uri: string; reference: string } {
  const unreserved = `A-Za-z0-9._~${more}\\-`;
  const delimiters = "!$&'()*+,;=";
  const escaped = `%${HEX}{2}`;
  const path = `(?:[${unreserved}${delimiters}:@]|${escaped})`;
  const literal = `\\[(?:${IPV6}|[vV]${HEX}+\\.[A-Za-z0-9._~!$&'()*+,;=:-]+)\\]`;
  const host = `(?:${literal}|(?:[${unreserved}${delimiters}]|${escaped})*)`;
  const authority = `(?:(?:[${unreserved}${delimiters}:]|${escaped})*@)?${host}(?::[0-9]*)?`;
  const segments = `(?:/${path}*)*`;
  const absolute = `//${authority}${segments}|/(?:${path}+${segments})?`;
  const tail =
    `(?:\\?(?:[${unreserved}${delimiters}:@/?${inQuery}]|${escaped})*)?` +
    `(?:#(?:[${unreserved}${delimiters}:@/?]|${escaped})*)?`;
  const uri = `[A-Za-z][A-Za-z0-9+.-]*:(?:${absolute}|${path}+${segments})?${tail}`;
  const withoutColon = `(?:[${unreserved}${delimiters}@]|${escaped})`;
  return { uri, reference: `(?:${uri}|(?:${absolute}|${withoutColon}+${segments})?${tail})` };
}

const URI = uris("", "");
const UCS =
  "\\u00a0-\\ud7ff\\uf900-\\ufdcf\\ufdf0-\\uffef" +
  Array.from({ length: 14 }, (_, i) => {
    const plane = (i + 1).toString(16);
    return `\\u{${plane}${i === 13 ? "1" : "0"}000}-\\u{${plane}fffd}`;
  }).join("");
const IRI = uris(UCS, "\\ue000-\\uf8ff\\u{f0000}-\\u{ffffd}\\u{100000}-\\u{10fffd}");

const POINTER = "(?:/(?:[^/~]|~[01])*)*";

const VARIABLE = `(?:[A-Za-z0-9_]|%${HEX}{2})(?:\\.?(?:[A-Za-z0-9_]|%${HEX}{2}))*`;
const VARIABLES = `${VARIABLE}(?:\\*|:[1-9][0-9]{0,3})?`;
const TEMPLATE =
  `(?:[!#$&'()*+,\\-./0-9:;=?@A-Z\\[\\]_a-z~${UCS}\\ue000-\\uf8ff\\u{f0000}-\\u{ffffd}\\u{100000}-\\u{10fffd}]` +
  `|%${HEX}{2}|\\{[+#./;?&=,!@|]?${VARIABLES}(?:,${VARIABLES})*\\})*`;

const FORMATS: ReadonlyMap<string, Format> = new Map(
  Object.entries({
    date: { pattern: DATE },
    time: { pattern: TIME, isNarrower: true },
    "date-time": { pattern: `${DATE}[Tt]${TIME}`, isNarrower: true },
    duration: { pattern: DURATION },
    email: { pattern: EMAIL, isNarrower: true },
    hostname: { pattern: HOSTNAME, charactersMax: 253, isNarrower: true },
    ipv4: { pattern: IPV4 },
    ipv6: { pattern: IPV6 },
    uri: { pattern: URI.uri },
    "uri-reference": { pattern: URI.reference },
    iri: { pattern: IRI.uri },
    "iri-reference": { pattern: IRI.reference },
    "uri-template": { pattern: TEMPLATE },
    uuid: { pattern: `${HEX}{8}(?:-${HEX}{4}){3}-${HEX}{12}` },
    "json-pointer": { pattern: POINTER },
    "relative-json-pointer": { pattern: `(?:0|[1-9][0-9]*)(?:#|${POINTER})` },
  } satisfies Record<string, Format>),
);

/** Defined by a draft, and not expressible: `regex` nests, the others need the tables of IDNA. */
const REFUSED: ReadonlySet<string> = new Set(["regex", "idn-hostname", "idn-email"]);

export function formatNames(): string[] {
  return [...FORMATS.keys()];
}

export function formatOf(name: string): Format | undefined {
  return FORMATS.get(name);
}

export function checkFormat(name: string): "supported" | "refused" | "misspelt" | "annotation" {
  if (FORMATS.has(name)) return "supported";
  if (REFUSED.has(name)) return "refused";
  // `dateTime`, `date_time`, `URI`: what people write who mean the format.
  const plain = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, "");
  return [...FORMATS.keys(), ...REFUSED].some((known) => plain(known) === plain(name)) ? "misspelt" : "annotation";
}
