/**
 * The service's clock as seen from this page. The HTTP `Date` header has whole seconds; each reply narrows the range in
 * which the difference to this machine's clock must lie. Pure.
 */

/** Service time minus page time lies between these, in milliseconds. */
export interface ClockRange {
  readonly low: number;
  readonly high: number;
}

/** One reply: its `Date` header, and when it was asked for and received by the page's clock. */
export interface ClockReading {
  readonly date: string;
  readonly sent: number;
  readonly received: number;
}

/** Narrows what is known by one more reply. A reply that contradicts it (a clock was set) replaces it. */
export function narrowClock(known: ClockRange | null, reading: ClockReading): ClockRange | null {
  const date = Date.parse(reading.date);
  if (!Number.isFinite(date)) return known;
  // The service wrote `date` at some moment of the second that starts there, after `sent` and before `received`.
  const seen = { low: date - reading.received, high: date + 999 - reading.sent };
  if (known === null || seen.low > known.high || seen.high < known.low) return seen;
  return { low: Math.max(known.low, seen.low), high: Math.min(known.high, seen.high) };
}

/** The best single guess, in milliseconds to add to this machine's clock; 0 while nothing is known. */
export function clockOffset(range: ClockRange | null): number {
  return range === null ? 0 : Math.round((range.low + range.high) / 2);
}
