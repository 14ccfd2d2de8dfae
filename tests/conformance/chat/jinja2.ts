/**
 * Python's Jinja, where it is installed (`apt-get install python3-jinja2`), as transformers sets it up: see
 * jinja2-oracle.py.
 */
import { spawnSync } from "node:child_process";

// Tests run from the repository root, and are bundled elsewhere: a relative import would not find it.
const PROGRAM = "tests/conformance/chat/jinja2-oracle.py";
const CHARACTERS = "tests/conformance/chat/python-characters.py";

/** A Python that has Jinja: the first of the path, or Debian's. */
const PYTHON = ["python3", "/usr/bin/python3"].find(
  (python) => spawnSync(python, ["-c", "import jinja2"]).status === 0,
);

export const jinja2Installed = PYTHON !== undefined;

export interface Task {
  readonly source: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface Outcome {
  readonly text?: string;
  readonly error?: string;
  readonly message?: string;
}

/** What the clock of the templates says there. */
export const NOW = new Date(Date.UTC(2026, 2, 7, 9, 5, 3));

export function renderWithJinja2(tasks: readonly Task[]): Outcome[] {
  return runPython(PROGRAM, tasks.map((task) => `${JSON.stringify(task)}\n`).join("")) as Outcome[];
}

/** Every character that Python has assigned: its kinds, and its texts in other cases. */
export function pythonCharacters(): [code: number, kinds: boolean[], changes: string[]][] {
  return runPython(CHARACTERS, "") as [number, boolean[], string[]][];
}

function runPython(program: string, input: string): unknown[] {
  const { stdout, stderr, status } = spawnSync(PYTHON ?? "python3", [program], {
    input,
    encoding: "utf8",
    maxBuffer: 2 ** 30,
  });
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${stderr}`);
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);
}
