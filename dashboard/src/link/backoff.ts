/** How long to wait before the next try. Pure; the random number is a parameter. */

const FIRST = 500;
/** Long enough to spare a service in trouble, short enough that a screen on a wall recovers within half a minute. */
const LONGEST = 30_000;

/** Doubles with every failure in a row, up to 30 s. `chance` (0..1) takes off up to half, so that pages spread out. */
export function retryDelay(failures: number, chance: number): number {
  const delay = Math.min(LONGEST, FIRST * 2 ** Math.min(Math.max(failures - 1, 0), 16));
  return Math.round(delay * (1 - chance / 2));
}
