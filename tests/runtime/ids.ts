/** Prints the hash of the ids of the corpus: `node ids.js`. */
import { idsHash } from "../tokenizer/corpus-hash.ts";

process.stdout.write(`${await idsHash()}\n`);
