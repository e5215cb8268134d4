/** The lines of a chart as data: the samples of each device, with gaps where it was silent. Pure. */
import type { Fleet, Row } from "../core/fleet";
import type { History, Series } from "../core/history";
import type { Selection } from "../core/selection";
import type { Range } from "./scale";

export interface Line {
  readonly id: string;
  readonly place: number;
  readonly series: Series | undefined;
  /** A longer pause than this is a gap in the line. */
  readonly longestPause: number;
}

export interface Point {
  readonly time: number;
  readonly value: number;
  /** No line leads to this point from the one before. */
  readonly apart: boolean;
}

/** A pause of more than this many usual intervals is a gap, if it is longer than `SHORTEST_PAUSE`. */
const PAUSE = 6;
const SHORTEST_PAUSE = 10_000;

export function linesOf(fleet: Fleet, selection: Selection, history: History): readonly Line[] {
  return selection.flatMap((id, place) => {
    const row = id === null ? undefined : fleet.rows[fleet.slots.get(id) ?? -1];
    return row === undefined ? [] : [lineOf(row, place, history)];
  });
}

export function lineOf({ device: { id }, interval }: Row, place: number, history: History): Line {
  const longestPause = interval === null ? Infinity : Math.max(SHORTEST_PAUSE, PAUSE * interval);
  return { id, place, series: history.of(id), longestPause };
}

/** The points within a time range, and one before it, so that the line begins at the edge. */
export function pointsOf({ series, longestPause }: Line, name: string, { low, high }: Range): readonly Point[] {
  if (series === undefined) return [];
  const points: Point[] = [];
  let before: number | null = null;
  for (let index = Math.max(0, series.indexAt(low)); index < series.length && series.time(index) <= high; index += 1) {
    const [time, value] = [series.time(index), series.value(name, index)];
    if (!Number.isFinite(value)) continue;
    points.push({ time, value, apart: before === null || time - before > longestPause });
    before = time;
  }
  return points;
}

/** The line's value at a moment: the last one before it; `null` within a gap. */
export function valueAt({ series, longestPause }: Line, name: string, time: number): number | null {
  const index = series?.indexAt(time) ?? -1;
  if (series === undefined || index < 0 || time - series.time(index) > longestPause) return null;
  return series.value(name, index);
}
