/**
 * How long nothing may be heard before the store is asked. Pure; chance is a parameter.
 *
 * A connection that is up but brings nothing looks like a fleet at rest. Only the store can tell the two apart.
 */

/**
 * As often as SignalR itself pings. A message is missed for this long at most while the fleet is busy, and an answer to
 * "what changed since" is a few bytes when nothing did.
 */
export const QUIET = 15_000;
/** A push that was lost on a busy link is repaired by the next reading of that device, or at the latest after this time. */
export const RELOAD_EVERY = 300_000;

/**
 * Doubles with every answer in a row that nothing changed, up to `RELOAD_EVERY`: a fleet at rest costs next to nothing.
 * `chance` (0..1) adds up to half of it, because a fleet falls silent for all pages at the same moment.
 */
export function quietTime(confirmations: number, chance: number): number {
  const time = Math.min(RELOAD_EVERY, QUIET * 2 ** Math.min(confirmations, 16));
  return Math.round(time * (1 + chance / 2));
}
