/**
 * A lock between processes: a file that only its maker may have. Node has no `flock`, so the file says who holds it, and
 * a holder that died is recognised:
 *
 * - on this machine by its process being gone (its number and its start time, for numbers are reused);
 * - on another machine, or where that cannot be told, by the file's time, which a living holder renews.
 *
 * @module
 */
import { throwIfAborted } from "../core/errors.ts";
import type { LockOptions, StoreLock } from "../core/model-store.ts";

interface Holder {
  readonly token: string;
  readonly pid: number;
  /** Of this machine and, in containers, of its process numbers. */
  readonly machine: string;
  /** When the process began, as the system counts; absent where it cannot be read. */
  readonly started: string | undefined;
}

const RENEW_MS = 5000;
/** Twelve renewals missed: a process that computes or sleeps for a minute loses the lock, which it then notices. */
const STALE_MS = 60_000;
/** A file's content follows its creation at once; after this it never will. */
const EMPTY_STALE_MS = 5000;
const POLL_MS = 100;

/** @throws OnebitError `aborted`; errors of `node:fs` as they are */
export async function lockFile(path: string, { wait = true, signal, onWait }: LockOptions): Promise<StoreLock | undefined> {
  const fs = process.getBuiltinModule("node:fs/promises");
  const holder = await describeSelf();
  for (let isFirst = true; ; isFirst = false) {
    throwIfAborted(signal);
    try {
      await fs.writeFile(path, JSON.stringify(holder), { flag: "wx" });
      return held(path, holder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    if (await removeIfStale(path, holder)) continue;
    if (!wait) return undefined;
    if (isFirst) onWait?.();
    await new Promise<void>((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function held(path: string, holder: Holder): StoreLock {
  const fs = process.getBuiltinModule("node:fs/promises");
  const isHeld = async (): Promise<boolean> => (await readHolder(path))?.token === holder.token;
  const timer = setInterval(() => {
    const now = new Date();
    // A lock that is gone is noticed by isHeld.
    void isHeld().then((mine) => (mine ? fs.utimes(path, now, now) : undefined)).catch(() => {});
  }, RENEW_MS);
  timer.unref();
  return {
    isHeld,
    async release() {
      clearInterval(timer);
      if (await isHeld()) await fs.rm(path, { force: true });
    },
  };
}

/** True when the lock may be free now. */
async function removeIfStale(path: string, self: Holder): Promise<boolean> {
  if (!(await isStale(path, self))) return false;
  // Several may find it stale, and one of them may hold it anew before the next removes it: they remove one by one, and
  // each looks again when it is its turn.
  const fs = process.getBuiltinModule("node:fs/promises"), turn = `${path}.turn`;
  if (!(await fs.writeFile(turn, "", { flag: "wx" }).then(() => true, () => false))) {
    if (await isOlder(turn, EMPTY_STALE_MS)) await fs.rm(turn, { force: true });
    return false;
  }
  try {
    return !(await isStale(path, self)) || (await remove(path, self));
  } finally {
    await fs.rm(turn, { force: true });
  }
}

/** Gone counts as stale. */
async function isStale(path: string, self: Holder): Promise<boolean> {
  const holder = await readHolder(path);
  if (holder === undefined) return await isOlder(path, EMPTY_STALE_MS);
  return (await isOlder(path, STALE_MS)) || (await isDead(holder, self));
}

async function isOlder(path: string, thanMs: number): Promise<boolean> {
  const stat = await process.getBuiltinModule("node:fs/promises").stat(path).catch(() => undefined);
  return stat === undefined || Date.now() - stat.mtimeMs >= thanMs;
}

/** A holder that was only slow may release the lock now, and another take it: what is moved is then not the stale one, and goes back. */
async function remove(path: string, self: Holder): Promise<boolean> {
  const fs = process.getBuiltinModule("node:fs/promises"), holder = await readHolder(path), aside = `${path}.${self.token}`;
  if (!(await fs.rename(path, aside).then(() => true, () => false))) return true;
  const moved = await readHolder(aside);
  if (moved?.token !== holder?.token) await fs.link(aside, path).catch(() => {});
  await fs.rm(aside, { force: true });
  return true;
}

async function isDead(holder: Holder, self: Holder): Promise<boolean> {
  if (holder.machine !== self.machine) return false;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
  const started = await startOf(holder.pid);
  return holder.started !== undefined && started !== undefined && started !== holder.started;
}

async function readHolder(path: string): Promise<Holder | undefined> {
  const fs = process.getBuiltinModule("node:fs/promises");
  try {
    const { token, pid, machine, started } = JSON.parse(await fs.readFile(path, "utf8")) as Record<string, unknown>;
    const isHolder = typeof token === "string" && typeof pid === "number" && Number.isSafeInteger(pid) && pid > 0 && typeof machine === "string";
    return isHolder ? { token, pid, machine, started: typeof started === "string" ? started : undefined } : undefined;
  } catch {
    return undefined;
  }
}

async function describeSelf(): Promise<Holder> {
  const fs = process.getBuiltinModule("node:fs/promises"), os = process.getBuiltinModule("node:os");
  const token = process.getBuiltinModule("node:crypto").randomBytes(8).toString("hex");
  // Containers on one machine may share its name and yet count their processes apart.
  const [boot, numbers] = await Promise.all([
    fs.readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => ""),
    fs.readlink("/proc/self/ns/pid").catch(() => ""),
  ]);
  return { token, pid: process.pid, machine: [os.hostname(), boot.trim(), numbers].join(" "), started: await startOf(process.pid) };
}

/** Field 22 of Linux's /proc/PID/stat; the name in parentheses before it may hold anything. */
async function startOf(pid: number): Promise<string | undefined> {
  const fs = process.getBuiltinModule("node:fs/promises");
  const stat = await fs.readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
}
