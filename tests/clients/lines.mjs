// The stdio boundary of the scripts: one JSON value per line, events out, commands in.

import { createInterface } from "node:readline";

/** Writes one event. */
export function emit(event, fields = {}) {
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);
}

/**
 * Runs `perform(command)` for each line on stdin, and `leave()` when stdin ends: whoever started the script is
 * gone then, and nothing of it may stay behind.
 */
export function listen(perform, leave) {
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (line) => perform(JSON.parse(line)));
  lines.on("close", leave);
}

/** An error as text, for an event. */
export function text(error) {
  return error === undefined || error === null ? undefined : String(error.message ?? error);
}
