/** The chart's lines as data: which samples of which device, broken where it was silent. Pure. */
import type { Fleet, Row } from "../core/fleet";
import type { History, Series } from "../core/history";
import type { Selection } from "../core/selection";
import type { Range } from "./scale";

export interface Line {
  readonly id: string;
  readonly place: number;
  readonly series: Series | undefined;
  /** A longer pause than this is a gap, and no line is drawn across it. */
  readonly longestPause: number;
}

export interface Point {
  readonly time: number;
  readonly value: number;
  /** The pen is lifted before this point. */
  readonly apart: boolean;
}

/** Reports this many usual intervals apart are not joined by a line, and never ones closer than ten seconds. */
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

/** The points within a time range, with one more before it so that the line enters from the edge. */
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

/** What the line says at a moment: its last value then, unless that is across a gap. */
export function valueAt({ series, longestPause }: Line, name: string, time: number): number | null {
  const index = series?.indexAt(time) ?? -1;
  if (series === undefined || index < 0 || time - series.time(index) > longestPause) return null;
  return series.value(name, index);
}
