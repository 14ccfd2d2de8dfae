/**
 * Wall-clock seconds, or processor seconds of this process: the latter for one thread on a busy machine, without its
 * waits.
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
