/** Whether a device still reports as usual. Always computed from its last report and the time, never stored. Pure. */
import type { Row } from "./fleet";
import { isUnreadable } from "./wire";

/**
 * Measured by the device's own interval. `live`: reports as usual. `late`: missed about three reports. `stale`: about ten.
 * `lost`: about thirty. `damaged`: the service cannot read its stored state. `unknown`: its states have no time.
 */
export const FRESHNESSES = ["live", "late", "stale", "lost", "damaged", "unknown"] as const;
export type Freshness = (typeof FRESHNESSES)[number];

/** A device in one word. A live device whose values stay the same is `steady`; it reports, so it is not silent. */
export type Condition = Freshness | "steady";

/** How many devices are in each condition. The steady ones are counted as live, too. */
export type Census = Readonly<Record<Condition, number>>;

/** Until its interval is known, a device is assumed to report every five minutes. */
export const ASSUMED_INTERVAL = 300_000;

/** The freshness of one row. `now` is by the service's clock. */
export function freshnessOf(row: Row, now: number): Freshness {
  const { reportedAt } = row.device;
  if (isUnreadable(row.device)) return "damaged";
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
  const counts = { live: 0, late: 0, stale: 0, lost: 0, damaged: 0, unknown: 0, steady: 0 };
  for (const row of rows) {
    const condition = conditionOf(row, now);
    counts[condition] += 1;
    if (condition === "steady") counts.live += 1;
  }
  return counts;
}

/**
 * When each state begins: after this many intervals and a grace time. The service's clock is known only to about a second,
 * and a batch may take a moment, so nothing is late within the first five seconds. The worse states have a longer grace.
 */
const LATE = { intervals: 3, grace: 5_000 };
const STALE = { intervals: 10, grace: 20_000 };
const LOST = { intervals: 30, grace: 60_000 };

/** After this many reports without a change a device is steady; fewer are quite usual. */
const STEADY_REPORTS = 10;

function isUnchanged({ device: { reportedAt, changedAt }, interval }: Row): boolean {
  if (reportedAt === null || changedAt === null) return false;
  return reportedAt - changedAt >= STEADY_REPORTS * (interval ?? ASSUMED_INTERVAL);
}
