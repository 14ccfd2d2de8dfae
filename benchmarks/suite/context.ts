/** What every piece of the suite gets. */
import type { BrowserStart } from "./page-engines.ts";
import type { FoundNode } from "./node-engines.ts";
import type { PieceData } from "./results.ts";
import type { Absence } from "./turns.ts";

export interface Context {
  readonly isQuick: boolean;
  readonly rounds: number;
  readonly nodes: { readonly baseline: FoundNode | undefined; readonly relaxed: FoundNode | undefined };
  readonly startBrowser: BrowserStart;
  /** A line of progress. */
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

/** The newest Node at hand: the one that onebit is measured in where one must do. */
export function fastestNode({ nodes }: Context): string {
  return nodes.relaxed?.path ?? process.execPath;
}
