/** Scales and ticks of the chart. Pure. */

/** A range of values or of times. */
export interface Range {
  readonly low: number;
  readonly high: number;
}

/** Maps a range linearly onto pixels; `start` may be greater than `end`, as it is for a vertical axis. */
export function scale({ low, high }: Range, start: number, end: number): (value: number) => number {
  const factor = (end - start) / (high - low || 1);
  return (value) => start + (value - low) * factor;
}

/** A range of values that starts and ends on a tick. */
export interface Axis extends Range {
  /** Distance between two ticks. */
  readonly step: number;
}

/** Widens the range to whole ticks, so that lines do not touch the edge. A flat range gets some space on both sides. */
export function niceAxis(low: number, high: number, ticks: number): Axis {
  const air = high === low ? Math.max(Math.abs(high) * 0.01, 0.5) : 0;
  const step = niceStep(high - low + 2 * air, ticks);
  return { low: Math.floor((low - air) / step) * step, high: Math.ceil((high + air) / step) * step, step };
}

/** 1, 2 or 5 times a power of ten, so that about `ticks` steps cover the range. */
function niceStep(range: number, ticks: number): number {
  const rough = range / Math.max(1, ticks);
  const power = 10 ** Math.floor(Math.log10(rough));
  const lead = rough / power;
  return power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
}

export function valueTicks({ low, high, step }: Axis): readonly number[] {
  const count = Math.round((high - low) / step);
  return Array.from({ length: count + 1 }, (_, index) => low + index * step);
}

/** The number of decimals in which neighbouring ticks differ. */
export function tickDecimals(step: number): number {
  return Math.max(0, Math.min(6, -Math.floor(Math.log10(step) + 1e-9)));
}

const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900].map((seconds) => seconds * 1000);

/** Ticks at whole seconds or minutes within the range, at most `most`. */
export function timeTicks({ low, high }: Range, most: number): readonly number[] {
  const step = TIME_STEPS.find((candidate) => (high - low) / candidate <= most) ?? 1_800_000;
  const first = Math.ceil(low / step) * step;
  const count = Math.max(0, Math.floor((high - first) / step) + 1);
  return Array.from({ length: count }, (_, index) => first + index * step);
}
