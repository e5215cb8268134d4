/**
 * The service's clock as seen from this page. The HTTP `Date` header has whole seconds, so each reply gives a range in which
 * the difference to this machine's clock must lie. Several replies narrow it. Pure.
 */

/** Bounds of service time minus page time, in milliseconds. */
export interface ClockRange {
  readonly low: number;
  readonly high: number;
}

/** One reply: its `Date` header, and by the page's clock when it was asked for and received. */
export interface ClockSample {
  readonly date: string;
  readonly sent: number;
  readonly received: number;
}

/** Narrows the range by one more reply. A reply that contradicts it replaces it: a clock has been set. */
export function narrowClock(known: ClockRange | null, sample: ClockSample): ClockRange | null {
  const date = Date.parse(sample.date);
  if (!Number.isFinite(date)) return known;
  // The service wrote `date` within the second that begins there, after `sent` and before `received`.
  const seen = { low: date - sample.received, high: date + 999 - sample.sent };
  if (known === null || seen.low > known.high || seen.high < known.low) return seen;
  return { low: Math.max(known.low, seen.low), high: Math.min(known.high, seen.high) };
}

/** The best single estimate, in milliseconds to add to this machine's clock; 0 while nothing is known. */
export function clockOffset(range: ClockRange | null): number {
  return range === null ? 0 : Math.round((range.low + range.high) / 2);
}
