/** The chart of the chosen measurement: a canvas with the lines, and a list of devices and values beside it. */
import { formatClock, formatValue } from "../core/format";
import { sourceLabel, sourceOf } from "../core/source";
import { byId, make, prepareCanvas, setAttribute, setText } from "./dom";
import type { Frame } from "./frame";
import { linesOf, pointsOf, valueAt, type Line } from "./lines";
import { Plot, timeRange, valueAxis } from "./plot";
import { scale, type Range } from "./scale";

/** Four times a second: a line that changes faster cannot be followed. */
const REPAINT_EVERY = 250;
const VALUE_TICKS = 5;
const MARGIN = { top: 8, right: 10, bottom: 20, left: 62 };

export class Chart {
  private readonly canvas = byId("plot-canvas", HTMLCanvasElement);
  private readonly legend = byId("legend", HTMLUListElement);
  private readonly legendTime = byId("legend-time", HTMLParagraphElement);
  private readonly entries = new Map<string, Entry>();
  private size = { width: 0, height: 0 };
  /** Where the pointer is, in CSS pixels from the left edge of the canvas; `null` outside. */
  private pointer: number | null = null;
  private paintedAt = -Infinity;
  private urgent = true;
  private selection: Frame["selection"] | null = null;

  constructor(private readonly events: { toggle(id: string): void; repaint(): void }) {
    this.canvas.addEventListener("pointermove", (event) => this.point(event.offsetX));
    this.canvas.addEventListener("pointerleave", () => this.point(null));
    this.legend.addEventListener("click", ({ target }) => this.onLegend(target));
    new ResizeObserver(() => this.measure()).observe(this.canvas);
  }

  /** Makes the next paint draw at once, because something other than the data has changed. */
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
    const values = valueAxis(drawn.flatMap(({ points }) => points), VALUE_TICKS);
    const plot = new Plot(context, frame.palette, { times, values, size: this.size, margin: MARGIN });
    plot.grid();
    for (const { line, points } of drawn) plot.line(points, frame.palette.series[line.place] ?? frame.palette.ink);
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
    this.events.repaint();
  }

  private onLegend(target: EventTarget | null): void {
    const id = target instanceof Element ? target.closest<HTMLElement>("button")?.dataset["remove"] : undefined;
    if (id !== undefined) this.events.toggle(id);
  }

  private measure(): void {
    this.size = { width: this.canvas.clientWidth, height: this.canvas.clientHeight };
    this.refresh();
    this.events.repaint();
  }
}

/** One device in the legend. */
class Entry {
  readonly element: HTMLElement;
  private readonly value = make("span", { class: "legend-value" });

  constructor(id: string) {
    const label = sourceLabel(sourceOf(id));
    const remove = make("button", { type: "button", class: "remove", "data-remove": id, "aria-label": `Take ${label} out of the chart` }, "×");
    const name = make("span", { class: "legend-name", title: label }, label);
    this.element = make("li", {}, make("span", { class: "mark", "aria-hidden": "true" }), name, this.value, remove);
  }

  paint({ place }: Line, value: string, unit: string): void {
    setAttribute(this.element, "data-place", `${place}`);
    setText(this.value, unit === "" ? value : `${value} ${unit}`);
  }
}

function lastValue({ series }: Line, name: string | undefined, until: number): number | null {
  return series === undefined || name === undefined ? null : series.value(name, series.indexAt(until));
}

function summary(lines: readonly Line[], { chosen }: Frame): string {
  const names = lines.map(({ id }) => sourceLabel(sourceOf(id))).join(", ");
  return `${chosen?.label ?? "Nothing"} of ${names || "no device"} since this page was opened. The list beside it has the latest values.`;
}
