/**
 * A lock between processes: a file that only its maker may have. Node has no `flock`, so the file names its holder, and
 * others recognise a dead one:
 *
 * - on this machine by its process being gone (by number and start time, as numbers are reused);
 * - on another machine, or if that cannot be told, by the file's time, which a living holder renews.
 *
 * @module
 */
import { quoted, throwIfAborted } from "../../core/errors.ts";
import type { LockOptions, StoreLock } from "../../core/model-store.ts";

/** The functions of `node:fs/promises` used here; tests pass ones that fail. */
export type LockFs = Pick<
  typeof import("node:fs/promises"),
  "link" | "readFile" | "rename" | "rm" | "stat" | "utimes" | "writeFile"
>;

interface Holder {
  readonly token: string;
  readonly pid: number;
  /** This machine and, in containers, its namespace of process numbers. */
  readonly machine: string;
  /** When the process began, by the system's clock; absent if unreadable. */
  readonly started: string | undefined;
}

const RENEW_MS = 5000;
/** Twelve missed renewals: a process that computes or sleeps for a minute loses the lock, and notices. */
const STALE_MS = 60_000;
/** A holder writes the file right after creating it; after this long it never will. */
const EMPTY_STALE_MS = 5000;
const POLL_MS = 100;

/** @throws OnebitError `aborted`; errors of `node:fs` unchanged */
export async function lockFile(
  path: string,
  { wait = true, keepsWhileAlive = false, signal, onWait }: LockOptions,
  fs: LockFs = nodeFs(),
): Promise<StoreLock | undefined> {
  const holder = await describeSelf();
  for (let isFirst = true; ; isFirst = false) {
    throwIfAborted(signal);
    try {
      await fs.writeFile(path, JSON.stringify(holder), { flag: "wx" });
      return held(fs, path, holder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    if (await removeIfStale(fs, path, holder, keepsWhileAlive)) continue;
    if (!wait) return undefined;
    if (isFirst) onWait?.();
    await new Promise<void>((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** The holder in words; undefined if there is none, or it cannot be read. */
export async function describeHolder(path: string, fs: LockFs = nodeFs()): Promise<string | undefined> {
  const holder = await readHolder(fs, path),
    self = await describeSelf();
  if (holder === undefined || holder === UNREADABLE) return undefined;
  if (holder.machine !== self.machine) return `process ${holder.pid} of ${quoted(holder.machine.split(" ")[0])}`;
  return holder.pid === self.pid ? "this process" : `process ${holder.pid} of this machine`;
}

function held(fs: LockFs, path: string, holder: Holder): StoreLock {
  const isHeld = async (): Promise<boolean> => {
    const found = await readHolder(fs, path);
    // A failed read does not mean that somebody took it.
    return found === UNREADABLE || found?.token === holder.token;
  };
  const timer = setInterval(() => {
    const now = new Date();
    // If it is gone, isHeld will notice.
    void isHeld()
      .then((mine) => (mine ? fs.utimes(path, now, now) : undefined))
      .catch(() => {});
  }, RENEW_MS);
  timer.unref();
  return {
    isHeld,
    async release() {
      clearInterval(timer);
      // If it cannot be removed now, it is free once this process ends.
      if (await isHeld()) await fs.rm(path, { force: true }).catch(() => {});
    },
  };
}

/** True when the lock may be free now. */
async function removeIfStale(fs: LockFs, path: string, self: Holder, keepsWhileAlive: boolean): Promise<boolean> {
  if (!(await isStale(fs, path, self, keepsWhileAlive))) return false;
  // Several may find it stale, and one may hold it anew before the next removes it. So they remove in turns, and each
  // looks again at its turn.
  const turn = `${path}.turn`;
  if (
    !(await fs.writeFile(turn, "", { flag: "wx" }).then(
      () => true,
      () => false,
    ))
  ) {
    if (await isOlder(fs, turn, EMPTY_STALE_MS)) await fs.rm(turn, { force: true });
    return false;
  }
  try {
    return !(await isStale(fs, path, self, keepsWhileAlive)) || (await remove(fs, path, self));
  } finally {
    await fs.rm(turn, { force: true });
  }
}

/** A missing lock counts as stale. */
async function isStale(fs: LockFs, path: string, self: Holder, keepsWhileAlive: boolean): Promise<boolean> {
  const holder = await readHolder(fs, path);
  if (holder === undefined) return await isOlder(fs, path, EMPTY_STALE_MS);
  const state = holder === UNREADABLE ? "unknown" : await stateOf(holder, self);
  if (state === "dead" || (state === "alive" && keepsWhileAlive)) return state === "dead";
  return await isOlder(fs, path, STALE_MS);
}

async function isOlder(fs: LockFs, path: string, thanMs: number): Promise<boolean> {
  const stat = await fs.stat(path).catch(() => undefined);
  return stat === undefined || Date.now() - stat.mtimeMs >= thanMs;
}

/**
 * A holder that was only slow may release the lock now, and another take it: then the moved file is not the stale one,
 * and goes back.
 */
async function remove(fs: LockFs, path: string, self: Holder): Promise<boolean> {
  const holder = tokenOf(await readHolder(fs, path)),
    aside = `${path}.${self.token}`;
  if (
    !(await fs.rename(path, aside).then(
      () => true,
      () => false,
    ))
  )
    return true;
  if (tokenOf(await readHolder(fs, aside)) !== holder) await fs.link(aside, path).catch(() => {});
  await fs.rm(aside, { force: true });
  return true;
}

/** `alive` only if certain: the process has the number, and began when the holder did. */
async function stateOf(holder: Holder, self: Holder): Promise<"alive" | "dead" | "unknown"> {
  if (holder.machine !== self.machine) return "unknown";
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return "dead";
  }
  const { started, isZombie } = await processStat(holder.pid);
  if (isZombie) return "dead";
  if (holder.started === undefined || started === undefined) return "unknown";
  return started === holder.started ? "alive" : "dead";
}

function tokenOf(holder: Holder | typeof UNREADABLE | undefined): string | undefined {
  return holder === UNREADABLE ? undefined : holder?.token;
}

/** The file is there, but cannot be read. */
const UNREADABLE = "unreadable";

/** Undefined if there is no file, or it names no holder. */
async function readHolder(fs: LockFs, path: string): Promise<Holder | typeof UNREADABLE | undefined> {
  try {
    // Reading a pipe put there would wait forever.
    if (!(await fs.stat(path)).isFile()) return undefined;
    const { token, pid, machine, started } = JSON.parse(await fs.readFile(path, "utf8")) as Record<string, unknown>;
    const isHolder =
      typeof token === "string" &&
      typeof pid === "number" &&
      Number.isSafeInteger(pid) &&
      pid > 0 &&
      typeof machine === "string";
    return isHolder ? { token, pid, machine, started: typeof started === "string" ? started : undefined } : undefined;
  } catch (error) {
    const isNone =
      error instanceof SyntaxError || error instanceof TypeError || (error as NodeJS.ErrnoException).code === "ENOENT";
    return isNone ? undefined : UNREADABLE;
  }
}

async function describeSelf(): Promise<Holder> {
  const fs = nodeFs(),
    os = process.getBuiltinModule("node:os");
  const token = process.getBuiltinModule("node:crypto").randomBytes(8).toString("hex");
  // Containers on one machine may share its name but number their processes separately.
  const [boot, numbers] = await Promise.all([
    fs.readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => ""),
    fs.readlink("/proc/self/ns/pid").catch(() => ""),
  ]);
  return {
    token,
    pid: process.pid,
    machine: [os.hostname(), boot.trim(), numbers].join(" "),
    started: (await processStat(process.pid)).started,
  };
}

/** Fields 3 and 22 of Linux's /proc/PID/stat; the name in parentheses before them may contain anything. */
async function processStat(pid: number): Promise<{ readonly started: string | undefined; readonly isZombie: boolean }> {
  const stat = await nodeFs()
    .readFile(`/proc/${pid}/stat`, "utf8")
    .catch(() => undefined);
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { started: fields?.[19], isZombie: fields?.[0] === "Z" };
}

function nodeFs(): typeof import("node:fs/promises") {
  return process.getBuiltinModule("node:fs/promises");
}
