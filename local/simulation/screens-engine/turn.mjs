/**
 * Resolves when no promise can go on any further: only then does Node run the next tick. A turn of the event loop would do
 * the same, but costs more than the rest of a command.
 */
export function promisesAtRest() {
  return new Promise((resolve) => process.nextTick(resolve));
}

/** A turn of the event loop, in which Node reports rejected promises that nobody handled. */
export function turn() {
  return new Promise((resolve) => setImmediate(resolve));
}
