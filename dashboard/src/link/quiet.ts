/**
 * How long the page may hear nothing before it asks the store. Pure; the random number is a parameter.
 *
 * A connection that is up but brings no messages looks like a fleet at rest. Only the store can tell the two apart.
 */

/**
 * As often as SignalR itself pings. While the fleet is busy, a broken link is noticed within this time; when nothing has
 * changed, the store's answer is a few bytes.
 */
export const QUIET = 15_000;
/** A message that was lost on a busy link is made up for by that device's next one, or at the latest after this time. */
export const RELOAD_EVERY = 300_000;

/**
 * Doubles with every answer in a row that nothing has changed, up to `RELOAD_EVERY`, so that a fleet at rest costs almost
 * nothing. `chance` (0..1) adds up to half, because a fleet falls silent for all pages at the same moment.
 */
export function quietTime(confirmations: number, chance: number): number {
  const time = Math.min(RELOAD_EVERY, QUIET * 2 ** Math.min(confirmations, 16));
  return Math.round(time * (1 + chance / 2));
}
