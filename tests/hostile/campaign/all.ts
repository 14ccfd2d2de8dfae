/** The campaign of every generator; a child process runs this. */
import { GENERATORS } from "../generators/all.ts";
import { attemptInputs } from "./attempts.ts";

await attemptInputs(GENERATORS);
