/** Seeded random text over the whole of Unicode, with the characters that tokenizers stumble over made frequent. */

export type Random = () => number;

/** Numbers in [0, 1) (xorshift32); the same for the same seed. */
export function makeRandom(seed: number): Random {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

const POOLS = [
  "abcdefghij ",
  " \t\n\r",
  "    ",
  "0123456789²½Ⅻ٣५",
  "'sStTrReEvVmMlLdD ",
  "ABC xyz éüßµǅ",
  "中文字日本語かなカナ한국어一龥",
  "😀👍🏽\u200d🇩🇪",
  "\u0301\u0300\u0915\u094d",
  '!?.,;:-_=+$^|~`<>()[]{}"#%&*/\\@',
  "\u00a0\u0085\u2003\u2028\u3000\ufeff\u00ad\u180e",
  "\u0000\u0001\u001b\u007f",
  "the of and in hello world",
].map((pool) => Array.from(pool));

/** A string of up to about `longest` characters, without lone surrogates. */
export function randomText(random: Random, longest: number): string {
  const wanted = Math.floor(random() * (longest + 1));
  const characters: string[] = [];
  while (characters.length < wanted) {
    if (random() < 0.15) {
      characters.push(randomCharacter(random));
      continue;
    }
    const pool = POOLS[Math.floor(random() * POOLS.length)];
    for (let run = 1 + Math.floor(random() * 5); run > 0; run--)
      characters.push(pool[Math.floor(random() * pool.length)]);
  }
  return characters.join("");
}

function randomCharacter(random: Random): string {
  const code = Math.floor(random() * (random() < 0.5 ? 0x3000 : 0x110000));
  return String.fromCodePoint((code & ~0x7ff) === 0xd800 ? 0xfffd : code);
}
