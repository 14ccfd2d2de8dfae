/**
 * A file system in memory that fails as real ones do, for what writes through `node:fs/promises`: every operation is
 * counted, and any of them can be the last of its process, fail, or write a part only.
 *
 * Power loss is modelled as strictly as POSIX allows: what a file holds survives when the file was synced, its name
 * when the folder was; of what was not synced, anything may survive, in any order.
 */
import { dirname } from "node:path";
import type { NodeFs } from "../../../src/platform/node/files.ts";
import { type Random, seededRandom } from "../../synthetic/random.ts";

export type Fault =
  /** The process is gone before the operation. */
  | { readonly kind: "kill" }
  /** The process is gone in the middle of it: of a write, half is there. */
  | { readonly kind: "torn" }
  /** It fails with this code; of a write, half is there. With `from`, so does every later change. */
  | { readonly kind: "error"; readonly code: string; readonly from?: boolean };

/**
 * What is there when the next process begins. `all`: the process died, not the machine. The others are power losses:
 * `synced`: nothing else; `names`: all names, but files hold what was synced; `zeros`: files have their length too,
 * filled with zeros; `data`: all that files hold, but only the names that were synced; a number seeds a mixture.
 */
export type Survival = "all" | "synced" | "names" | "zeros" | "half" | "data" | number;
export const POWER_LOSSES: readonly Survival[] = ["synced", "names", "zeros", "half", "data", 1, 2];

interface Inode {
  data: Uint8Array;
  synced: Uint8Array;
  modifiedMs: number;
}

/** A change of names in a folder: `path` goes, `to` becomes a name of `inode`. */
interface NameChange {
  readonly folder: string;
  readonly path?: string;
  readonly to?: readonly [path: string, inode: Inode];
}

/** What an operation of a process that was killed throws: code that catches it learns nothing and changes nothing. */
export class Killed extends Error {}

/** A process number that no system gives: those of Linux end at 4,194,304. */
const DEAD_PID = 2 ** 22 + 1;
/** Machines take longer to start than a lock lives without its holder. */
const RESTART_MS = 120_000;

export class FaultyFiles {
  /** Of the process that runs now: `write /folder/file`. */
  operations: string[] = [];
  #names = new Map<string, Inode>();
  #durable = new Map<string, Inode>();
  #pending: NameChange[] = [];
  #folders = new Set<string>(["/"]);
  #life = 0;
  #fault: Fault | undefined;
  #at = -1;
  #isKilled = false;

  /** Begins a process. @param at the operation, counted from 0, at which `fault` happens */
  begin(fault?: Fault, at = -1): NodeFs {
    this.#life++;
    this.operations = [];
    this.#fault = fault;
    this.#at = at;
    this.#isKilled = false;
    return this.#fs(this.#life);
  }

  /** The same files, to end in another way. */
  clone(): FaultyFiles {
    const clone = new FaultyFiles(),
      inodes = new Map<Inode, Inode>();
    // What inodes hold is replaced, never changed in place.
    const cloned = (inode: Inode): Inode => inodes.get(inode) ?? (inodes.set(inode, { ...inode }), inodes.get(inode)!);
    const names = (map: ReadonlyMap<string, Inode>): Map<string, Inode> =>
      new Map([...map].map(([path, inode]) => [path, cloned(inode)]));
    clone.#names = names(this.#names);
    clone.#durable = names(this.#durable);
    clone.#pending = this.#pending.map((change) => ({
      ...change,
      to: change.to && [change.to[0], cloned(change.to[1])],
    }));
    clone.#folders = new Set(this.#folders);
    return clone;
  }

  /** Ends the process; `survival` says what of its changes is there. */
  end(survival: Survival): void {
    this.#life++;
    const random = typeof survival === "number" ? seededRandom(survival) : undefined,
      inodes = new Set([...this.#names.values(), ...this.#durable.values()]);
    const names = survivingNames(this.#durable, this.#names, this.#pending, survival, random);
    for (const inode of inodes) {
      inode.data = inode.synced = survivingData(inode, survival, random);
      inode.modifiedMs -= RESTART_MS;
    }
    for (const inode of names.values()) disown(inode, survival !== "all");
    this.#names = names;
    this.#durable = new Map(names);
    this.#pending = [];
  }

  /** Paths of all files, sorted. */
  list(): string[] {
    return [...this.#names.keys()].sort();
  }

  read(path: string): Uint8Array | undefined {
    return this.#names.get(path)?.data;
  }

  put(path: string, data: Uint8Array): void {
    this.#folders.add(dirname(path));
    const inode = { data, synced: data, modifiedMs: Date.now() };
    this.#names.set(path, inode);
    this.#durable.set(path, inode);
  }

  /**
   * Counts an operation and lets its fault happen. @returns the part of a write that is done: 1, or one half with what
   * then is thrown
   */
  #operate(life: number, what: string, isChange: boolean): { readonly part: number; readonly then?: Error } {
    if (life !== this.#life || this.#isKilled) throw new Killed(what);
    const index = this.operations.push(what) - 1,
      fault = this.#fault;
    const isHit =
      fault !== undefined &&
      (index === this.#at ||
        (fault.kind === "error" && fault.from === true && isChange && index > this.#at && this.#at >= 0));
    if (!isHit) return { part: 1 };
    if (fault.kind === "error") return refuse(what, fault.code);
    this.#isKilled = true;
    const killed = new Killed(what);
    if (fault.kind === "kill" || !what.startsWith("write ")) throw killed;
    return { part: 0.5, then: killed };
  }

  #rename(change: NameChange): void {
    apply(change, this.#names);
    this.#pending.push(change);
  }

  #open(path: string, flags: string): Inode {
    const found = this.#names.get(path);
    if (found !== undefined && flags.includes("x")) throw systemError("EEXIST", `open ${path}`);
    if (found !== undefined) return found;
    if (flags.startsWith("r")) throw systemError("ENOENT", `open ${path}`);
    if (!this.#folders.has(dirname(path))) throw systemError("ENOENT", `open ${path}`);
    const made: Inode = { data: new Uint8Array(), synced: new Uint8Array(), modifiedMs: Date.now() };
    this.#rename({ folder: dirname(path), to: [path, made] });
    return made;
  }

  /** The functions that the process `life` has; once it ended, each throws {@link Killed}. */
  #fs(life: number): NodeFs {
    const operate = (what: string, isChange: boolean): { readonly part: number; readonly then?: Error } => {
      const outcome = this.#operate(life, what, isChange);
      if (outcome.then !== undefined && !what.startsWith("write ")) throw outcome.then;
      return outcome;
    };
    const write = (inode: Inode, path: string, bytes: Uint8Array): number => {
      const { part, then } = operate(`write ${path}`, true),
        written = bytes.subarray(0, Math.floor(bytes.length * part));
      inode.data = concatenate(inode.data, written);
      inode.modifiedMs = Date.now();
      if (then !== undefined) throw then;
      return written.length;
    };
    const at = (path: string): Inode => this.#names.get(path) ?? fail("ENOENT", path);
    const fs = {
      open: async (path: string, flags: string) => {
        operate(`open ${path}`, !flags.startsWith("r"));
        if (this.#folders.has(path))
          return {
            sync: async () => (operate(`sync ${path}`, true), this.#syncFolder(path)),
            close: async () => void operate(`close ${path}`, false),
          };
        const inode = this.#open(path, flags);
        return {
          write: async (bytes: Uint8Array, offset: number, length: number) => ({
            bytesWritten: write(inode, path, bytes.subarray(offset, offset + length)),
          }),
          read: async (into: Uint8Array, offset: number, length: number, position: number) => {
            operate(`read ${path}`, false);
            const bytes = inode.data.subarray(position, position + length);
            into.set(bytes, offset);
            return { bytesRead: bytes.length };
          },
          stat: async () => (
            operate(`stat ${path}`, false),
            { size: inode.data.length, mtimeMs: inode.modifiedMs, isFile: () => true, isDirectory: () => false }
          ),
          sync: async () => {
            operate(`sync ${path}`, true);
            inode.synced = inode.data;
          },
          close: async () => void operate(`close ${path}`, false),
        };
      },
      mkdir: async (path: string) => {
        operate(`mkdir ${path}`, true);
        if (this.#folders.has(path)) return undefined;
        this.#folders.add(path);
        return path;
      },
      readdir: async (path: string) => {
        operate(`readdir ${path}`, false);
        if (!this.#folders.has(path)) throw systemError("ENOENT", path);
        return [...this.#names.keys()]
          .filter((name) => dirname(name) === path)
          .map((name) => name.slice(path.length + 1));
      },
      rename: async (from: string, to: string) => {
        operate(`rename ${from}`, true);
        const inode = at(from);
        this.#rename({ folder: dirname(to), path: from, to: [to, inode] });
      },
      link: async (from: string, to: string) => {
        operate(`link ${from}`, true);
        const inode = at(from);
        if (this.#names.has(to)) throw systemError("EEXIST", to);
        this.#rename({ folder: dirname(to), to: [to, inode] });
      },
      rm: async (path: string) => {
        operate(`rm ${path}`, true);
        if (this.#names.has(path)) this.#rename({ folder: dirname(path), path });
      },
      stat: async (path: string) => (
        operate(`stat ${path}`, false), { mtimeMs: at(path).modifiedMs, size: at(path).data.length, isFile: () => true }
      ),
      utimes: async (path: string, _: Date, modified: Date) => {
        operate(`utimes ${path}`, true);
        at(path).modifiedMs = modified.getTime();
      },
      readFile: async (path: string) => (operate(`read ${path}`, false), new TextDecoder().decode(at(path).data)),
      writeFile: async (path: string, text: string, { flag }: { flag: string }) => {
        operate(`open ${path}`, true);
        write(this.#open(path, flag), path, new TextEncoder().encode(text));
      },
    };
    return fs as unknown as NodeFs;
  }

  #syncFolder(folder: string): void {
    for (const pending of this.#pending) if (pending.folder === folder) apply(pending, this.#durable);
    this.#pending = this.#pending.filter((pending) => pending.folder !== folder);
  }
}

function apply({ path, to }: NameChange, names: Map<string, Inode>): void {
  if (path !== undefined) names.delete(path);
  if (to !== undefined) names.set(...to);
}

/** An error as `node:fs` makes it. */
function systemError(code: string, what: string): Error {
  return Object.assign(new Error(`${code}: refused, ${what}`), { code });
}

function fail(code: string, what: string): never {
  throw systemError(code, what);
}

function refuse(what: string, code: string): { readonly part: number; readonly then: Error } {
  return { part: 0.5, then: systemError(code, what) };
}

function survivingNames(
  durable: ReadonlyMap<string, Inode>,
  current: ReadonlyMap<string, Inode>,
  pending: readonly NameChange[],
  survival: Survival,
  random: Random | undefined,
): Map<string, Inode> {
  if (survival === "synced" || survival === "data") return new Map(durable);
  if (random === undefined) return new Map(current);
  const names = new Map(durable);
  for (const change of pending) if (random.u32() % 2 === 0) apply(change, names);
  return names;
}

function survivingData({ data, synced }: Inode, survival: Survival, random: Random | undefined): Uint8Array {
  const kind = random === undefined ? survival : (["all", "synced", "zeros", "half"] as const)[random.u32() % 4];
  if (kind === "all" || kind === "data" || data === synced) return data;
  if (kind === "zeros") return concatenate(synced, new Uint8Array(data.length - synced.length));
  return kind === "half" ? data.slice(0, synced.length + ((data.length - synced.length) >> 1)) : synced;
}

/** A lock is of a process that is gone; after a power loss, of one before the machine started. */
function disown(inode: Inode, isPowerLoss: boolean): void {
  const text = new TextDecoder().decode(inode.data.subarray(0, 1000));
  if (!text.startsWith('{"token":')) return;
  try {
    const holder = JSON.parse(text) as { pid: number; machine: string };
    inode.data = inode.synced = new TextEncoder().encode(
      JSON.stringify({ ...holder, pid: DEAD_PID, machine: isPowerLoss ? `${holder.machine} before` : holder.machine }),
    );
  } catch {
    // Torn: nobody's.
  }
}

function concatenate(a: Uint8Array, b: Uint8Array): Uint8Array {
  const whole = new Uint8Array(a.length + b.length);
  whole.set(a);
  whole.set(b, a.length);
  return whole;
}
