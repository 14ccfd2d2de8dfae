/** Texts of every kind that tokenizers stumble over, for comparisons with other programs and between engines. */
import { type Random, randomText } from "./random-text.ts";

const CODE = [
  "for (let i = 0; i < n; i++) {\n\tconsole.log(`${i}: ${a[i]}`);\n}\n",
  "def f(x):\n    return x**2  # x²\n\n\nclass A(B):\n        pass\r\n",
  "SELECT * FROM t WHERE a>=1.5e-10 AND b!='x''y';--\n",
  '<div class="a-b"><s>old</s>&nbsp;<b>new</b></div>\n',
  '{"key": [1, 22, 333, 4444, 55555], "k2": null}\n',
  "https://example.com/a/b?c=d&e=%20f#g user@example.com C:\\dir\\file.txt",
];
const WORDS = [
  "It's we'll you'RE THEY'D I'm o'clock don'T 'Twas 's'S 'ſ x'ſy l'été",
  "HelloWorld iPhone XMLHttpRequest ABCdefGHI aB ǅungla Ωmega ÄÖÜäöü ẞß straße",
  "1234567890 1,234,567.89 3.14 ½ ²³ Ⅻ ٣٤٥ १२३ 2024-01-02T03:04:05Z 0xFF",
  "日本語のテキスト、中文測試。한국어 문장입니다. ภาษาไทยไม่มีช่องว่าง हिन्दी में पाठ العربية نص עברית",
  "👨‍👩‍👧‍👦 👍🏽 🏳️‍🌈 🇩🇪🇫🇷 ❤️ ☎︎ 1️⃣ 🤷🏾‍♀️",
  "e\u0301 a\u0308o\u0308 \u1e9b\u0323 q\u0307\u0323 \u0344 ﬁ Å Å 가각\u1100\u1161\u11a8 ㎏ ① ｱ",
  "\u088f's \u1c89\u1c8a \u{10d50}\u{10d70} \u{16100}\u{16120}x \u{11380}\u{11385} \u{1ccd6} \u{2ebf0} \u{323b0} " +
    "\u0897a\u0334 \u{1f77f}",
  "a  b   c    d\te\t\tf\n\ng\n\n\n  h \r\n \r i\u00a0j\u3000k\u2003\u2003l \u0085m",
  "\u0000\u0001\u001b[31m\u007f\u0080\u009f\u200b\u200d\u2060\ufeff\u00ad\u180e\ufffd\ufffe\uffff",
  "▁a ▁▁b Ġc <0x0A><0xE2> Ã© ÂĠ Ċ",
];

/** Not written as escapes: Deno's parser takes no lone one before a pair. */
const [FIRST, LAST, HIGH, LOW] = [0xd800, 0xdfff, 0xd83d, 0xde00].map((unit) => String.fromCharCode(unit));
const LONE_SURROGATES = [FIRST, LAST, `a${HIGH}`, `${LOW}b`, `${HIGH}😀`];

/** One text; `names` of added tokens are strewn in. */
export function corpusText(random: Random, names: readonly string[]): string {
  const pieces: string[] = [];
  for (let count = 1 + Math.floor(random() * 3); count > 0; count--) pieces.push(corpusPiece(random, names));
  return pieces.join(random() < 0.5 ? "" : " ");
}

function corpusPiece(random: Random, names: readonly string[]): string {
  const kind = random();
  if (kind < 0.35) return randomText(random, 24);
  if (kind < 0.5) return cutOut(random, pick(random, CODE));
  if (kind < 0.8) return cutOut(random, pick(random, WORDS));
  if (kind < 0.85)
    return pick(random, [" ", "\n", "\t", "\r\n", "  \n", "a", "7", "'", "\u0301", "😀", "▁"]).repeat(
      1 + Math.floor(random() * 40),
    );
  if (kind < 0.88) return pick(random, LONE_SURROGATES);
  return names.length === 0 ? "<|none|>" : spelled(random, pick(random, names));
}

/** A name, whole or spoiled, close to words and blanks. */
function spelled(random: Random, name: string): string {
  const before = pick(random, ["", " ", "  ", "a", "\n", "<", "é"]);
  const after = pick(random, ["", " ", "  ", "a", "\n", ">", "1", "́"]);
  const text = random() < 0.2 ? name.slice(0, Math.floor(random() * name.length)) : name;
  return before + text + after + (random() < 0.2 ? pick(random, [name, text]) : "");
}

function cutOut(random: Random, text: string): string {
  const characters = Array.from(text);
  const from = Math.floor(random() * characters.length);
  return characters.slice(from, from + 1 + Math.floor(random() * 30)).join("");
}

function pick<T>(random: Random, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)];
}
