/** A drawing of values over time: its scales, and what can be drawn with them. */
import { formatClock, formatValue } from "../core/format";
import type { Frame, Palette } from "./frame";
import type { Point } from "./lines";
import { niceAxis, scale, tickDecimals, timeTicks, valueTicks, type Axis, type Range } from "./scale";

/** Pixels around the drawing, for the labels. */
export interface Margin {
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
  readonly left: number;
}

export interface Paper {
  readonly times: Range;
  readonly values: Axis;
  readonly size: { readonly width: number; readonly height: number };
  readonly margin: Margin;
}

/** Charts show at least this much time, also in a page that has just been opened. */
const SHORTEST_SPAN = 30_000;

/** The time range of the charts. */
export function timeRange({ now, span, since }: Frame): Range {
  const open = Math.max(SHORTEST_SPAN, now - since);
  return { low: now - Math.min(span, open), high: now };
}

export function valueAxis(points: readonly Point[], ticks: number): Axis {
  if (points.length === 0) return { low: 0, high: 1, step: 1 };
  let [low, high] = [Infinity, -Infinity];
  for (const { value } of points) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return niceAxis(low, high, ticks);
}

export class Plot {
  private readonly x: (time: number) => number;
  private readonly y: (value: number) => number;
  private readonly right: number;
  private readonly bottom: number;

  constructor(
    private readonly context: CanvasRenderingContext2D,
    private readonly palette: Palette,
    private readonly paper: Paper,
  ) {
    const { times, values, size, margin } = paper;
    this.right = size.width - margin.right;
    this.bottom = size.height - margin.bottom;
    this.x = scale(times, margin.left, this.right);
    this.y = scale(values, this.bottom, margin.top);
    context.font = palette.font;
    context.lineJoin = "round";
  }

  grid(): void {
    this.context.strokeStyle = this.palette.line;
    this.context.fillStyle = this.palette.muted;
    this.context.lineWidth = 1;
    this.valueGrid();
    this.timeGrid();
  }

  private valueGrid(): void {
    const { values, margin } = this.paper;
    const decimals = tickDecimals(values.step);
    this.context.textAlign = "right";
    this.context.textBaseline = "middle";
    for (const tick of valueTicks(values)) {
      const y = Math.round(this.y(tick)) + 0.5;
      this.stroke([[margin.left, y], [this.right, y]]);
      this.context.fillText(formatValue(tick, decimals), margin.left - 8, y);
    }
  }

  private timeGrid(): void {
    const { times, size, margin } = this.paper;
    this.context.textAlign = "center";
    this.context.textBaseline = "top";
    for (const tick of timeTicks(times, Math.max(2, Math.floor(size.width / 110)))) {
      const x = Math.round(this.x(tick)) + 0.5;
      this.stroke([[x, this.bottom], [x, this.bottom + 4]]);
      if (x > margin.left + 24 && x < size.width - 30) this.context.fillText(formatClock(tick), x, this.bottom + 7);
    }
  }

  line(points: readonly Point[], color: string): void {
    const { context, paper: { margin } } = this;
    context.save();
    context.beginPath();
    context.rect(margin.left, 0, this.right - margin.left + 4, this.bottom);
    context.clip();
    context.strokeStyle = color;
    context.lineWidth = 1.5;
    context.beginPath();
    for (const { time, value, apart } of points) {
      if (apart) context.moveTo(this.x(time), this.y(value));
      else context.lineTo(this.x(time), this.y(value));
    }
    context.stroke();
    this.end(points.at(-1), color);
    context.restore();
  }

  private end(point: Point | undefined, color: string): void {
    if (point === undefined) return;
    this.context.fillStyle = color;
    this.circle(point.time, this.y(point.value), 2.5);
    this.context.fill();
  }

  /** Marks moments with hollow dots at the lower edge, for readings without a value on the axis. */
  moments(times: readonly number[], color: string): void {
    const { low, high } = this.paper.times;
    this.context.strokeStyle = color;
    this.context.lineWidth = 1.25;
    for (const time of times) {
      if (time < low || time > high) continue;
      this.circle(time, this.bottom - 5, 3);
      this.context.stroke();
    }
  }

  cursor(time: number): void {
    const x = Math.round(this.x(time)) + 0.5;
    this.context.strokeStyle = this.palette.muted;
    this.stroke([[x, this.paper.margin.top], [x, this.bottom]]);
  }

  private circle(time: number, y: number, radius: number): void {
    this.context.beginPath();
    this.context.arc(this.x(time), y, radius, 0, 2 * Math.PI);
  }

  private stroke(points: readonly (readonly [number, number])[]): void {
    this.context.beginPath();
    for (const [x, y] of points) this.context.lineTo(x, y);
    this.context.stroke();
  }
}
