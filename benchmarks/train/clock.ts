/**
 * Seconds by the wall, or of this process on processors: the latter for one thread on a machine that others keep busy,
 * whose waiting it leaves out.
 */
export const CLOCKS = {
  wall: () => performance.now() / 1e3,
  processor() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  },
} as const;

export type ClockName = keyof typeof CLOCKS;
export type Clock = () => number;
