/**
 * A disk in memory that fails as real ones do, for the store of models in a folder: every operation is counted, and any
 * of them can be the last of its process, fail, or do a part only. Folders, links, files changed in place.
 *
 * Power loss is modelled as strictly as POSIX allows: what a file holds survives when the file was synced, a name when
 * its folder was; of what was not synced, anything may survive, in any order.
 */
import { posix } from "node:path";
import type { ModelFs } from "../../src/platform/node/model-store.ts";
import { type Random, seededRandom } from "../synthetic/random.ts";

export type Fault =
  /** The process is gone before the operation. */
  | { readonly kind: "kill" }
  /** The process is gone in the middle of it: of a write, half is there. */
  | { readonly kind: "torn" }
  /** A write takes half of its bytes, and says so. */
  | { readonly kind: "short" }
  /** It fails with this code; of a write, half is there. With `from`, so does all that follows. */
  | { readonly kind: "error"; readonly code: string; readonly from?: boolean };

/**
 * What is there when the next process begins. `all`: the process died, not the machine. The others are power losses:
 * `synced`: nothing that was not synced; `names`: all names, but files hold what was synced; `zeros`: files have their
 * length too, but zeros where they were changed; a number seeds a mixture of all that.
 */
export type Survival = "all" | "synced" | "names" | "zeros" | number;
export const POWER_LOSSES: readonly Survival[] = ["synced", "names", "zeros", 1, 2];

type Change = { readonly position: number; readonly bytes: Uint8Array } | { readonly sizeBytes: number };

class File {
  data = new Uint8Array();
  synced = new Uint8Array();
  changes: Change[] = [];
  modifiedMs = Date.now();

  change(change: Change): void {
    this.data = applied(this.data, change);
    this.changes.push(change);
    this.modifiedMs = Date.now();
  }

  sync(): void {
    for (const change of this.changes) this.synced = applied(this.synced, change);
    this.changes = [];
  }

  survive(survival: Survival, random: Random | undefined): void {
    const kind = random === undefined ? survival : (["all", "synced", "zeros", "some"] as const)[random.u32() % 4];
    if (kind === "all") this.sync();
    if (kind === "zeros")
      for (const change of this.changes)
        this.synced = applied(
          this.synced,
          "bytes" in change ? { ...change, bytes: new Uint8Array(change.bytes.length) } : change,
        );
    if (kind === "some")
      for (const change of this.changes)
        if (random !== undefined && random.u32() % 2 === 0) this.synced = applied(this.synced, change);
    this.changes = [];
    this.data = this.synced.slice();
    // Machines take longer to start than a lock lives without its holder.
    this.modifiedMs -= 120_000;
  }
}

class Link {
  readonly target: string;
  constructor(target: string) {
    this.target = target;
  }
}

class Folder {
  names = new Map<string, Node>();
  durable = new Map<string, Node>();
}

type Node = File | Link | Folder;

/** `name` of the folder becomes `node`, or nobody's; what it was moved from goes in the same step. */
interface NameChange {
  readonly folder: Folder;
  readonly name: string;
  readonly node: Node | undefined;
  readonly from?: { readonly folder: Folder; readonly name: string };
}

/** What an operation of a process that was killed throws: code that catches it learns nothing and changes nothing. */
class Killed extends Error {}

export class FaultyDisk {
  /** Of the process that runs now: `write /folder/file`. */
  operations: string[] = [];
  isKilled = false;
  #root = new Folder();
  #pending: NameChange[] = [];
  #life = 0;
  #fault: Fault | undefined;
  #at = -1;

  /** Begins a process. @param at the operation, counted from 0, at which `fault` happens */
  begin(fault?: Fault, at = -1): ModelFs {
    this.operations = [];
    this.isKilled = false;
    this.#fault = fault;
    this.#at = at;
    return this.#functions(++this.#life);
  }

  /** The same disk, to go on in another way. */
  clone(): FaultyDisk {
    const disk = new FaultyDisk(),
      nodes = new Map<Node, Node>();
    const cloned = (node: Node): Node => {
      const found = nodes.get(node);
      if (found !== undefined) return found;
      if (node instanceof Link) return node;
      if (node instanceof File) {
        const file = Object.assign(new File(), {
          data: node.data.slice(),
          synced: node.synced.slice(),
          changes: [...node.changes],
          modifiedMs: node.modifiedMs,
        });
        nodes.set(node, file);
        return file;
      }
      const folder = new Folder();
      nodes.set(node, folder);
      for (const [name, entry] of node.names) folder.names.set(name, cloned(entry));
      for (const [name, entry] of node.durable) folder.durable.set(name, cloned(entry));
      return folder;
    };
    disk.#root = cloned(this.#root) as Folder;
    disk.#pending = this.#pending.map(({ folder, name, node, from }) => ({
      name,
      folder: cloned(folder) as Folder,
      node: node && cloned(node),
      from: from && { ...from, folder: cloned(from.folder) as Folder },
    }));
    return disk;
  }

  /** Ends the process; `survival` says what of its changes is there. Locks are those of a process that is gone. */
  end(survival: Survival): void {
    this.#life++;
    const random = typeof survival === "number" ? seededRandom(survival) : undefined;
    for (const change of this.#pending) {
      if (
        survival === "all" ||
        survival === "names" ||
        survival === "zeros" ||
        (random !== undefined && random.u32() % 2 === 0)
      )
        apply(change, "durable");
    }
    this.#pending = [];
    const visit = (folder: Folder): void => {
      folder.names = new Map(folder.durable);
      for (const node of folder.names.values()) {
        if (node instanceof Folder) visit(node);
        if (node instanceof File) node.survive(survival, random), disown(node, survival !== "all");
      }
    };
    visit(this.#root);
  }

  /** Paths of all files and links, sorted. */
  list(): string[] {
    const found: string[] = [];
    const visit = (folder: Folder, at: string): void => {
      for (const [name, node] of folder.names)
        node instanceof Folder ? visit(node, `${at}/${name}`) : found.push(`${at}/${name}`);
    };
    visit(this.#root, "");
    return found.sort();
  }

  #change(change: NameChange): void {
    apply(change, "names");
    this.#pending.push(change);
  }

  /** Counts an operation and lets its fault happen. @returns which part of a write is done, and what then is thrown */
  #operate(life: number, what: string): { readonly part: number; readonly then?: Error } {
    if (life !== this.#life || this.isKilled) throw new Killed(what);
    const index = this.operations.push(what) - 1,
      fault = this.#fault;
    const isHit =
      fault !== undefined &&
      this.#at >= 0 &&
      (index === this.#at || (fault.kind === "error" && fault.from === true && index > this.#at));
    if (!isHit) return { part: 1 };
    if (fault.kind === "short") return { part: 0.5 };
    if (fault.kind === "error") return { part: 0.5, then: systemError(fault.code, what) };
    this.isKilled = true;
    return { part: fault.kind === "torn" ? 0.5 : 0, then: new Killed(what) };
  }

  /** Where a path ends: the folder it is in, its name there, and what has that name. */
  #find(
    path: string,
    follows = true,
    depth = 0,
  ): { readonly folder: Folder; readonly name: string; readonly node: Node | undefined; readonly path: string } {
    if (depth > 40) throw systemError("ELOOP", path);
    const parts = posix
      .resolve(path)
      .split("/")
      .filter((part) => part !== "");
    let folder = this.#root,
      at = "";
    for (const [i, name] of parts.entries()) {
      const node = folder.names.get(name),
        isLast = i === parts.length - 1;
      if (node instanceof Link && (!isLast || follows))
        return this.#find(posix.join(posix.resolve(at || "/", node.target), ...parts.slice(i + 1)), follows, depth + 1);
      if (isLast) return { folder, name, node, path: `${at}/${name}` };
      if (!(node instanceof Folder)) throw systemError(node === undefined ? "ENOENT" : "ENOTDIR", path);
      folder = node;
      at = `${at}/${name}`;
    }
    return { folder, name: "", node: folder, path: "/" };
  }

  #needed(path: string, follows = true): Node {
    return this.#find(path, follows).node ?? fail("ENOENT", path);
  }

  #file(path: string): File {
    const node = this.#needed(path);
    return node instanceof File ? node : fail("EISDIR", path);
  }

  /** The functions that the process `life` has; once it ended, each throws {@link Killed}. */
  #functions(life: number): ModelFs {
    const operate = (what: string): void => {
      const { then } = this.#operate(life, what);
      if (then !== undefined) throw then;
    };
    const write = (file: File, path: string, bytes: Uint8Array, position: number): number => {
      const { part, then } = this.#operate(life, `write ${path}`),
        written = bytes.slice(0, Math.ceil(bytes.length * part));
      if (written.length > 0) file.change({ position, bytes: written });
      if (then !== undefined) throw then;
      return written.length;
    };
    const make = (path: string): File => {
      const { folder, name, node } = this.#find(path),
        file = new File();
      if (node !== undefined) throw systemError("EEXIST", path);
      this.#change({ folder, name, node: file });
      return file;
    };
    const functions = {
      open: async (path: string, flags: string | number) => {
        operate(`open ${path}`);
        const { node } = this.#find(path);
        if (node instanceof Folder)
          return {
            sync: async () => (operate(`sync ${path}`), this.#syncFolder(node)),
            close: async () => operate(`close ${path}`),
          };
        if (node === undefined && flags === "r") throw systemError("ENOENT", path);
        return this.#handle(node instanceof File ? node : make(path), path, operate, write);
      },
      mkdir: async (path: string) => {
        operate(`mkdir ${path}`);
        let first: string | undefined;
        const parts = posix.resolve(path).split("/");
        for (let i = 2; i <= parts.length; i++) {
          const at = parts.slice(0, i).join("/"),
            { folder, name, node } = this.#find(at);
          if (node instanceof File) throw systemError("EEXIST", at);
          if (node !== undefined) continue;
          this.#change({ folder, name, node: new Folder() });
          first ??= at;
        }
        return first;
      },
      readdir: async (path: string) => {
        operate(`readdir ${path}`);
        const folder = this.#needed(path);
        if (!(folder instanceof Folder)) throw systemError("ENOTDIR", path);
        return [...folder.names].map(([name, node]) => ({ name, isDirectory: () => node instanceof Folder }));
      },
      rename: async (from: string, to: string) => {
        operate(`rename ${from}`);
        const source = this.#find(from, false),
          target = this.#find(to, false);
        if (source.node === undefined) throw systemError("ENOENT", from);
        this.#change({
          folder: target.folder,
          name: target.name,
          node: source.node,
          from: { folder: source.folder, name: source.name },
        });
      },
      link: async (from: string, to: string) => {
        operate(`link ${from}`);
        const node = this.#needed(from),
          target = this.#find(to, false);
        if (target.node !== undefined) throw systemError("EEXIST", to);
        this.#change({ folder: target.folder, name: target.name, node });
      },
      symlink: async (target: string, path: string) => {
        operate(`symlink ${path}`);
        const { folder, name, node } = this.#find(path, false);
        if (node !== undefined) throw systemError("EEXIST", path);
        this.#change({ folder, name, node: new Link(target) });
      },
      readlink: async (path: string) => {
        operate(`readlink ${path}`);
        const node = this.#needed(path, false);
        return node instanceof Link ? node.target : fail("EINVAL", path);
      },
      realpath: async (path: string) => {
        operate(`realpath ${path}`);
        const { node, path: found } = this.#find(path);
        return node === undefined ? fail("ENOENT", path) : found;
      },
      rm: async (path: string) => {
        // One by one, as the system does it: a process may end between any two.
        const remove = (folder: Folder, name: string, node: Node, at: string): void => {
          if (node instanceof Folder)
            for (const [entry, child] of [...node.names]) remove(node, entry, child, `${at}/${entry}`);
          operate(`rm ${at}`);
          this.#change({ folder, name, node: undefined });
        };
        const found = ((): { folder: Folder; name: string; node: Node | undefined } | undefined => {
          try {
            return this.#find(path, false);
          } catch {
            return undefined;
          }
        })();
        if (found?.node === undefined) operate(`rm ${path}`);
        else remove(found.folder, found.name, found.node, path);
      },
      stat: async (path: string) => (operate(`stat ${path}`), statOf(this.#needed(path))),
      statfs: async (path: string) => (operate(`statfs ${path}`), { bavail: 2 ** 30, bsize: 4096, blocks: 2 ** 31 }),
      utimes: async (path: string, _: Date, modified: Date) => {
        operate(`utimes ${path}`);
        this.#file(path).modifiedMs = modified.getTime();
      },
      readFile: async (path: string) => (operate(`read ${path}`), new TextDecoder().decode(this.#file(path).data)),
      writeFile: async (path: string, text: string) => {
        operate(`open ${path}`);
        write(make(path), path, new TextEncoder().encode(text), 0);
      },
    };
    return functions as unknown as ModelFs;
  }

  #handle(
    file: File,
    path: string,
    operate: (what: string) => void,
    write: (file: File, path: string, bytes: Uint8Array, position: number) => number,
  ): object {
    const sync = async (): Promise<void> => {
      operate(`sync ${path}`);
      file.sync();
    };
    return {
      sync,
      datasync: sync,
      write: async (bytes: Uint8Array, offset: number, length: number, position: number) => ({
        bytesWritten: write(file, path, bytes.subarray(offset, offset + length), position),
      }),
      read: async (into: Uint8Array, offset: number, length: number, position: number) => {
        operate(`read ${path}`);
        const bytes = file.data.subarray(position, position + length);
        into.set(bytes, offset);
        return { bytesRead: bytes.length };
      },
      truncate: async (sizeBytes: number) => {
        operate(`truncate ${path}`);
        file.change({ sizeBytes });
      },
      stat: async () => (operate(`stat ${path}`), statOf(file)),
      close: async () => operate(`close ${path}`),
    };
  }

  #syncFolder(folder: Folder): void {
    for (const change of this.#pending) if (change.folder === folder) apply(change, "durable");
    this.#pending = this.#pending.filter((change) => change.folder !== folder);
  }
}

function apply({ folder, name, node, from }: NameChange, which: "names" | "durable"): void {
  from?.folder[which].delete(from.name);
  if (node === undefined) folder[which].delete(name);
  else folder[which].set(name, node);
}

function applied(data: Uint8Array<ArrayBuffer>, change: Change): Uint8Array<ArrayBuffer> {
  const sizeBytes = "bytes" in change ? Math.max(data.length, change.position + change.bytes.length) : change.sizeBytes;
  let whole = data;
  if (sizeBytes !== data.length) {
    whole = new Uint8Array(sizeBytes);
    whole.set(data.subarray(0, sizeBytes));
  }
  if ("bytes" in change) whole.set(change.bytes, change.position);
  return whole;
}

function statOf(node: Node): object {
  return {
    size: node instanceof File ? node.data.length : 0,
    mtimeMs: node instanceof File ? node.modifiedMs : 0,
    isFile: () => node instanceof File,
    isDirectory: () => node instanceof Folder,
  };
}

/** An error as `node:fs` makes it. */
function systemError(code: string, what: string): Error {
  return Object.assign(new Error(`${code}: refused, ${what}`), { code });
}

function fail(code: string, what: string): never {
  throw systemError(code, what);
}

/** After a power loss, a lock is of a process of before the machine started. */
function disown(file: File, isPowerLoss: boolean): void {
  const text = new TextDecoder().decode(file.data.subarray(0, 1000));
  if (!text.startsWith('{"token":')) return;
  try {
    const holder = JSON.parse(text) as { machine: string };
    // A process number that no system gives: those of Linux end at 4,194,304.
    file.data = new TextEncoder().encode(
      JSON.stringify({
        ...holder,
        pid: 2 ** 22 + 1,
        machine: isPowerLoss ? `${holder.machine} before` : holder.machine,
      }),
    );
    file.synced = file.data.slice();
  } catch {
    // Torn: nobody's.
  }
}
