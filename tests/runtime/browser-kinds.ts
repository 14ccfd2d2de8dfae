/**
 * The browsers of the suite: how each is started, and what it gives pages, no less and no more.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

export interface Browser {
  readonly name: string;
  /** What it was given that it does not come with; ends the names of its rows. */
  readonly given?: string;
  /** The program. @throws Error where it is not installed */
  readonly binary: () => string;
  readonly args: (profile: string, url: string) => readonly string[];
  readonly environment?: (profile: string) => Readonly<Record<string, string>>;
  /** Shows nothing without a screen: it gets one in memory. */
  readonly needsScreen?: boolean;
  /** What the page "worker" asks for; without it, what the browser says it has cores. */
  readonly threads?: number;
  readonly expected: Expected;
}

export interface Expected {
  readonly variant: "relaxed" | "simd";
  /** Why there is one thread, in pages that are isolated. */
  readonly oneThread: {
    readonly page: RegExp;
    /** Undefined where there are several. */
    readonly worker?: RegExp;
    readonly workerUnderPolicy: RegExp;
  };
  /** The error when two threads are asked for under a policy without `blob:`. */
  readonly threadsByNumber: RegExp;
  /** Where models from elsewhere are kept. */
  readonly keptIn: "private files" | "Cache";
}

const SHARED_MEMORY: Pick<Expected, "oneThread" | "threadsByNumber"> = {
  oneThread: { page: /main thread may not wait.*onebit\/worker/, workerUnderPolicy: /worker-src blob:/ },
  threadsByNumber: /^engine\/thread-failed .*worker-src blob:/,
};

const NO_SHARED_MEMORY: Pick<Expected, "oneThread" | "threadsByNumber"> = {
  oneThread: { page: /no shared memory/, worker: /no shared memory/, workerUnderPolicy: /no shared memory/ },
  threadsByNumber: /^option\/invalid .*no shared memory.*wanted 1, got 2/,
};

/**
 * WebKitGTK's own small browser. Its engine lacks the dot product of relaxed SIMD, private files are switched off
 * (switched on, they cannot be written), and no page gets shared memory.
 */
const WEBKIT: Omit<Browser, "expected"> = {
  name: "WebKitGTK",
  binary: miniBrowser,
  needsScreen: true,
  args: (_, url) => [url],
  environment: webkitEnvironment,
};

export const BROWSERS: readonly Browser[] = [
  {
    name: "Chromium",
    binary: () => "chromium",
    // As root, as CI runs, Chromium has no sandbox; shared memory of containers is small.
    args: (profile, url) => [
      "--headless=new",
      "--no-sandbox",
      "--disable-dev-shm-usage",
      "--disable-gpu",
      "--no-first-run",
      `--user-data-dir=${profile}`,
      url,
    ],
    expected: { variant: "relaxed", keptIn: "private files", ...SHARED_MEMORY },
  },
  {
    name: "Firefox",
    binary: () => "firefox-esr",
    args: (profile, url) => ["--headless", "--no-remote", "--profile", profile, url],
    environment: () => ({ MOZ_DISABLE_CONTENT_SANDBOX: "1" }),
    expected: { variant: "relaxed", keptIn: "private files", ...SHARED_MEMORY },
  },
  { ...WEBKIT, expected: { variant: "simd", keptIn: "Cache", ...NO_SHARED_MEMORY } },
  {
    // Safari gives it to isolated pages; this browser only when its JavaScript engine is told to.
    // It says 4 cores where there are fewer than 8, and threads without a core of their own keep each other waiting.
    ...WEBKIT,
    given: "shared memory",
    threads: 2,
    environment: (profile) => ({ ...webkitEnvironment(profile), JSC_useSharedArrayBuffer: "1" }),
    expected: { variant: "simd", keptIn: "Cache", ...SHARED_MEMORY },
  },
];

/** All it keeps is in the profile. Neither a desktop's bus nor its window system is looked for. */
function webkitEnvironment(profile: string): Record<string, string> {
  const folders = ["HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"];
  return {
    ...Object.fromEntries(folders.map((name) => [name, profile])),
    GDK_BACKEND: "x11",
    DBUS_SESSION_BUS_ADDRESS: "disabled:",
    NO_AT_BRIDGE: "1",
  };
}

/** It lies in no folder of programs, but with the library: in /usr/lib/<machine>/webkit2gtk-4.1, as Debian has it. */
function miniBrowser(): string {
  const libraries = ["/usr/lib", "/usr/libexec"].filter(existsSync).flatMap((folder) => [folder, ...foldersIn(folder)]);
  const found = libraries
    .flatMap(foldersIn)
    .filter((folder) => /\/webkit2?gtk-[\d.]+$/.test(folder))
    .map((folder) => join(folder, "MiniBrowser"))
    .filter(existsSync);
  if (found.length === 0) throw new Error("MiniBrowser is not installed: Debian has it in libwebkit2gtk-4.1-0");
  return found[0];
}

function foldersIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(folder, name));
}
