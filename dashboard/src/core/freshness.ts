/** Whether a device still reports as it used to, derived from time alone: nothing is stored that could stay wrong. Pure. */
import type { Row } from "./fleet";

/** `live`: as usual. `late`: missed about two reports. `silent`: long gone. `unknown`: never said when it reported. */
export type Freshness = "live" | "late" | "silent" | "unknown";

/** How many devices are in each state. */
export type Census = Readonly<Record<Freshness, number>>;

/** Judges one row at a time `now` by the service's clock. */
export function freshnessOf(row: Row, now: number): Freshness {
  const { reportedAt } = row.device;
  if (reportedAt === null) return "unknown";
  const age = now - reportedAt;
  if (age > silentAfter(row.interval)) return "silent";
  return age > lateAfter(row.interval) ? "late" : "live";
}

export function census(rows: readonly Row[], now: number): Census {
  const counts = { live: 0, late: 0, silent: 0, unknown: 0 };
  for (const row of rows) counts[freshnessOf(row, now)] += 1;
  return counts;
}

/** The service's clock is known to about a second, and a batch may wait a moment: no alarm within these 5 s. */
const GRACE = 5_000;
/** Until its rhythm is known, a device is taken for one that reports every five minutes. */
const ASSUMED_INTERVAL = 300_000;

function lateAfter(interval: number | null): number {
  return 3 * (interval ?? ASSUMED_INTERVAL) + GRACE;
}

function silentAfter(interval: number | null): number {
  return 10 * (interval ?? ASSUMED_INTERVAL) + 4 * GRACE;
}
