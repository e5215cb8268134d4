/** Whether a device still reports as it used to, derived from time alone: nothing is stored that could stay wrong. Pure. */
import type { Row } from "./fleet";

/**
 * By the device's own interval. `live`: as usual. `late`: about three reports missed. `stale`: about ten. `lost`: about
 * thirty. `unknown`: never said when it reported.
 */
export const FRESHNESSES = ["live", "late", "stale", "lost", "unknown"] as const;
export type Freshness = (typeof FRESHNESSES)[number];

/** What is said of a device in one word: a live one whose values stay the same is steady, which is not the same as silent. */
export type Condition = Freshness | "steady";

/** How many devices are in each state; the steady ones are among the live ones. */
export type Census = Readonly<Record<Condition, number>>;

/** Until its rhythm is known, a device is taken for one that reports every five minutes. */
export const ASSUMED_INTERVAL = 300_000;

/** Judges one row at a time `now` by the service's clock. */
export function freshnessOf(row: Row, now: number): Freshness {
  const { reportedAt } = row.device;
  if (reportedAt === null) return "unknown";
  const age = now - reportedAt;
  const interval = row.interval ?? ASSUMED_INTERVAL;
  if (age <= LATE.intervals * interval + LATE.grace) return "live";
  if (age <= STALE.intervals * interval + STALE.grace) return "late";
  return age <= LOST.intervals * interval + LOST.grace ? "stale" : "lost";
}

export function conditionOf(row: Row, now: number): Condition {
  const freshness = freshnessOf(row, now);
  return freshness === "live" && isUnchanged(row) ? "steady" : freshness;
}

export function census(rows: readonly Row[], now: number): Census {
  const counts = { live: 0, late: 0, stale: 0, lost: 0, unknown: 0, steady: 0 };
  for (const row of rows) {
    const condition = conditionOf(row, now);
    counts[condition] += 1;
    if (condition === "steady") counts.live += 1;
  }
  return counts;
}

/**
 * When each state begins. The service's clock is known to about a second, and a batch may wait a moment, so that there is
 * no alarm within the first five seconds; what sounds worse waits longer.
 */
const LATE = { intervals: 3, grace: 5_000 };
const STALE = { intervals: 10, grace: 20_000 };
const LOST = { intervals: 30, grace: 60_000 };

/** So many reports in a row have changed nothing: fewer are a slow day, not a sensor that stands still. */
const STEADY_REPORTS = 10;

function isUnchanged({ device: { reportedAt, changedAt }, interval }: Row): boolean {
  if (reportedAt === null || changedAt === null) return false;
  return reportedAt - changedAt >= STEADY_REPORTS * (interval ?? ASSUMED_INTERVAL);
}
