/** The context of every piece of the suite. */
import type { BrowserStart } from "./page-engines.ts";
import type { FoundNode } from "./node-engines.ts";
import type { PieceData } from "./results.ts";
import type { Absence } from "./turns.ts";

export interface Context {
  readonly isQuick: boolean;
  readonly rounds: number;
  readonly nodes: { readonly baseline: FoundNode | undefined; readonly relaxed: FoundNode | undefined };
  readonly startBrowser: BrowserStart;
  /** Prints a progress line. */
  note(line: string): void;
}

export interface Measured<Data extends PieceData = PieceData> {
  readonly data: Data;
  readonly absent?: readonly Absence[];
}

export interface PieceTask {
  readonly name: string;
  /** Left out of a quick run. */
  readonly isSlow?: boolean;
  run(context: Context): Promise<Measured>;
}

/** The newest Node available, for pieces that use a single Node. */
export function fastestNode({ nodes }: Context): string {
  return nodes.relaxed?.path ?? process.execPath;
}
