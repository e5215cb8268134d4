/** A sparkline: the last samples of one measurement of one device, drawn into a small canvas. */
import type { Series } from "../core/history";
import { prepareCanvas } from "./dom";
import type { Palette } from "./frame";

export const SPARK_WIDTH = 88;
export const SPARK_HEIGHT = 20;
/** One sample per two pixels. */
export const SPARK_SAMPLES = 44;

/** The points of a sparkline in pixels. A flat line or a single value is in the middle. Pure. */
export function sparkPoints(values: readonly number[], width: number, height: number): readonly (readonly [number, number])[] {
  const shown = values.filter((value) => Number.isFinite(value)).slice(-SPARK_SAMPLES);
  const low = Math.min(...shown);
  const range = Math.max(...shown) - low;
  // The pixels per sample are always the same: the line grows from the right and is not stretched.
  const pace = width / (SPARK_SAMPLES - 1);
  return shown.map((value, index) => [
    width - (shown.length - 1 - index) * pace,
    range === 0 ? height / 2 : height - ((value - low) / range) * height,
  ]);
}

const MARGIN = 3;

/** The values up to the sample with index `last`, as many as fit. */
export function lastValues(series: Series | undefined, name: string | undefined, last: number): readonly number[] {
  if (series === undefined || name === undefined) return [];
  const from = Math.max(0, last + 1 - SPARK_SAMPLES);
  return Array.from({ length: last + 1 - from }, (_, index) => series.value(name, from + index));
}

export function drawSpark(canvas: HTMLCanvasElement, values: readonly number[], palette: Palette): void {
  const context = prepareCanvas(canvas, SPARK_WIDTH, SPARK_HEIGHT);
  if (context === null) return;
  const points = sparkPoints(values, SPARK_WIDTH - 2 * MARGIN, SPARK_HEIGHT - 2 * MARGIN);
  const last = points.at(-1);
  if (last === undefined) return;
  context.translate(MARGIN, MARGIN);
  context.strokeStyle = palette.muted;
  context.lineWidth = 1.25;
  context.lineJoin = "round";
  context.beginPath();
  for (const [x, y] of points) context.lineTo(x, y);
  context.stroke();
  context.fillStyle = palette.accent;
  context.beginPath();
  context.arc(last[0], last[1], 1.75, 0, 2 * Math.PI);
  context.fill();
}
