/** The chart of the chosen measurement: a canvas for the lines, a list beside it for names and numbers. */
import { formatClock, formatValue } from "../core/format";
import { byId, make, prepareCanvas, setAttribute, setText } from "./dom";
import type { Frame } from "./frame";
import { linesOf, pointsOf, valueAt, type Line, type Point } from "./lines";
import { niceAxis, scale, tickDecimals, timeTicks, valueTicks, type Axis, type Range } from "./scale";

/** Four times a second is as often as an eye follows a line. */
const REPAINT_EVERY = 250;
/** A page just opened shows at least this much time, so that the first line is not a wall. */
const SHORTEST_SPAN = 30_000;
const VALUE_TICKS = 5;
const MARGIN = { top: 8, right: 10, bottom: 20, left: 46 };

export class Chart {
  private readonly canvas = byId("plot-canvas", HTMLCanvasElement);
  private readonly legend = byId("legend", HTMLUListElement);
  private readonly legendTime = byId("legend-time", HTMLParagraphElement);
  private readonly entries = new Map<string, Entry>();
  private size = { width: 0, height: 0 };
  /** Where the pointer is, in CSS pixels from the canvas's left edge. */
  private pointer: number | null = null;
  private paintedAt = -Infinity;
  private urgent = true;
  private selection: Frame["selection"] | null = null;

  constructor(private readonly events: { toggle(id: string): void; moved(): void }) {
    this.canvas.addEventListener("pointermove", (event) => this.point(event.offsetX));
    this.canvas.addEventListener("pointerleave", () => this.point(null));
    this.legend.addEventListener("click", ({ target }) => this.onLegend(target));
    new ResizeObserver(() => this.measure()).observe(this.canvas);
  }

  /** The next paint must not wait: something other than data has changed. */
  refresh(): void {
    this.urgent = true;
  }

  paint(frame: Frame): void {
    const changed = this.urgent || frame.selection !== this.selection;
    if (!changed && Math.abs(frame.now - this.paintedAt) < REPAINT_EVERY) return;
    this.urgent = false;
    this.selection = frame.selection;
    this.paintedAt = frame.now;
    const lines = linesOf(frame.fleet, frame.selection, frame.history);
    const times = timeRange(frame);
    const at = this.pointedTime(times);
    this.paintLegend(lines, frame, at);
    this.paintCanvas(lines, frame, times, at);
  }

  private paintCanvas(lines: readonly Line[], frame: Frame, times: Range, at: number | null): void {
    const { width, height } = this.size;
    const context = prepareCanvas(this.canvas, width, height);
    const { chosen } = frame;
    if (context === null || chosen === null || width < 80) return;
    const drawn = lines.map((line) => ({ line, points: pointsOf(line, chosen.name, { low: times.low, high: frame.until }) }));
    const values = valueAxis(drawn.flatMap(({ points }) => points.map(({ value }) => value)));
    const plot = new Plot(context, frame, times, values, this.size);
    plot.grid();
    for (const { line, points } of drawn) plot.line(points, line.place);
    if (at !== null) plot.cursor(at);
    setAttribute(this.canvas, "aria-label", summary(lines, frame));
  }

  private paintLegend(lines: readonly Line[], { chosen, until }: Frame, at: number | null): void {
    const listed = new Set(lines.map(({ id }) => id));
    for (const [id, { element }] of this.entries) {
      if (!listed.has(id)) {
        element.remove();
        this.entries.delete(id);
      }
    }
    for (const line of lines) {
      const value = at === null ? lastValue(line, chosen?.name, until) : valueAt(line, chosen?.name ?? "", at);
      this.entry(line).paint(line, formatValue(value, chosen?.decimals ?? 0), chosen?.unit ?? "");
    }
    setText(this.legendTime, at === null ? "latest" : `at ${formatClock(at)}`);
  }

  private entry({ id }: Line): Entry {
    let entry = this.entries.get(id);
    if (entry === undefined) {
      entry = new Entry(id);
      this.entries.set(id, entry);
      this.legend.append(entry.element);
    }
    return entry;
  }

  private pointedTime({ low, high }: Range): number | null {
    const { left, right } = MARGIN;
    const end = this.size.width - right;
    if (this.pointer === null || this.pointer < left || this.pointer > end) return null;
    return scale({ low: left, high: end }, low, high)(this.pointer);
  }

  private point(x: number | null): void {
    this.pointer = x;
    this.refresh();
    this.events.moved();
  }

  private onLegend(target: EventTarget | null): void {
    const id = target instanceof Element ? target.closest<HTMLElement>("button")?.dataset["remove"] : undefined;
    if (id !== undefined) this.events.toggle(id);
  }

  private measure(): void {
    this.size = { width: this.canvas.clientWidth, height: this.canvas.clientHeight };
    this.refresh();
    this.events.moved();
  }
}

/** One device in the legend. */
class Entry {
  readonly element: HTMLElement;
  private readonly value = make("span", { class: "legend-value" });

  constructor(id: string) {
    const remove = make("button", { type: "button", class: "remove", "data-remove": id, "aria-label": `Take ${id} out of the chart` }, "×");
    const name = make("span", { class: "legend-name", title: id }, id);
    this.element = make("li", {}, make("span", { class: "mark", "aria-hidden": "true" }), name, this.value, remove);
  }

  paint({ place }: Line, value: string, unit: string): void {
    setAttribute(this.element, "data-place", `${place}`);
    setText(this.value, unit === "" ? value : `${value} ${unit}`);
  }
}

/** One drawing: the scales, and what is drawn with them. */
class Plot {
  private readonly x: (time: number) => number;
  private readonly y: (value: number) => number;

  constructor(
    private readonly context: CanvasRenderingContext2D,
    private readonly frame: Frame,
    private readonly times: Range,
    private readonly values: Axis,
    private readonly size: { readonly width: number; readonly height: number },
  ) {
    this.x = scale(times, MARGIN.left, size.width - MARGIN.right);
    this.y = scale(values, size.height - MARGIN.bottom, MARGIN.top);
    context.font = frame.palette.font;
    context.lineJoin = "round";
  }

  grid(): void {
    this.context.strokeStyle = this.frame.palette.line;
    this.context.fillStyle = this.frame.palette.muted;
    this.context.lineWidth = 1;
    this.valueGrid();
    this.timeGrid();
  }

  private valueGrid(): void {
    const decimals = tickDecimals(this.values.step);
    this.context.textAlign = "right";
    this.context.textBaseline = "middle";
    for (const tick of valueTicks(this.values)) {
      const y = Math.round(this.y(tick)) + 0.5;
      this.stroke([[MARGIN.left, y], [this.size.width - MARGIN.right, y]]);
      this.context.fillText(formatValue(tick, decimals), MARGIN.left - 8, y);
    }
  }

  private timeGrid(): void {
    const bottom = this.size.height - MARGIN.bottom;
    this.context.textAlign = "center";
    this.context.textBaseline = "top";
    for (const tick of timeTicks(this.times, Math.max(2, Math.floor(this.size.width / 110)))) {
      const x = Math.round(this.x(tick)) + 0.5;
      this.stroke([[x, bottom], [x, bottom + 4]]);
      if (x > MARGIN.left + 24 && x < this.size.width - 30) this.context.fillText(formatClock(tick), x, bottom + 7);
    }
  }

  line(points: readonly Point[], place: number): void {
    const { context } = this;
    const color = this.frame.palette.series[place] ?? this.frame.palette.ink;
    context.save();
    context.beginPath();
    context.rect(MARGIN.left, 0, this.size.width - MARGIN.left - MARGIN.right + 4, this.size.height - MARGIN.bottom);
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
    this.context.beginPath();
    this.context.arc(this.x(point.time), this.y(point.value), 2.5, 0, 2 * Math.PI);
    this.context.fill();
  }

  cursor(time: number): void {
    const x = Math.round(this.x(time)) + 0.5;
    this.context.strokeStyle = this.frame.palette.muted;
    this.stroke([[x, MARGIN.top], [x, this.size.height - MARGIN.bottom]]);
  }

  private stroke(points: readonly (readonly [number, number])[]): void {
    this.context.beginPath();
    for (const [x, y] of points) this.context.lineTo(x, y);
    this.context.stroke();
  }
}

function timeRange({ now, span, opened }: Frame): Range {
  const since = Math.max(SHORTEST_SPAN, now - opened);
  return { low: now - Math.min(span, since), high: now };
}

function valueAxis(values: readonly number[]): Axis {
  if (values.length === 0) return { low: 0, high: 1, step: 1 };
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return niceAxis(low, high, VALUE_TICKS);
}

function lastValue({ series }: Line, name: string | undefined, until: number): number | null {
  return series === undefined || name === undefined ? null : series.value(name, series.indexAt(until));
}

function summary(lines: readonly Line[], { chosen }: Frame): string {
  const names = lines.map(({ id }) => id).join(", ");
  return `${chosen?.label ?? "Nothing"} of ${names || "no device"} since this page was opened. The list beside it has the latest values.`;
}
