/** How long to wait before the next try. Pure; chance is a parameter. */

const FIRST = 500;
/** Long enough to spare a service in trouble, short enough that a screen on a wall is right again within half a minute. */
const LONGEST = 30_000;

/** Doubles with every failure in a row up to 30 s; `chance` (0..1) takes up to half of it, so that pages spread out. */
export function retryDelay(failures: number, chance: number): number {
  const delay = Math.min(LONGEST, FIRST * 2 ** Math.min(Math.max(failures - 1, 0), 16));
  return Math.round(delay * (1 - chance / 2));
}
