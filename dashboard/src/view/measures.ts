/** In the drawer: each measurement of the device with its last value and what is valid, and of numbers their line. */
import { formatCell, hasCell, type Column } from "../core/columns";
import type { Row } from "../core/fleet";
import { formatValue } from "../core/format";
import { byId, make, prepareCanvas, setAttribute, setText } from "./dom";
import type { Frame } from "./frame";
import { lineOf, pointsOf, type Point } from "./lines";
import { Plot, timeRange, valueAxis } from "./plot";

const HEIGHT = 92;
const MARGIN = { top: 6, right: 6, bottom: 20, left: 62 };
const VALUE_TICKS = 3;

export class Measures {
  private readonly list = byId("measures", HTMLUListElement);
  private readonly blocks = new Map<string, Block>();
  private width = 0;

  constructor(repaint: () => void) {
    new ResizeObserver(() => {
      this.width = this.list.clientWidth;
      repaint();
    }).observe(this.list);
  }

  /** `rejected`: when rejected readings of this device reached the hub. */
  paint(row: Row, frame: Frame, rejected: readonly number[]): void {
    const shown = frame.columns.filter((column) => hasCell(row.device, column));
    const names = new Set(shown.map(({ name }) => name));
    for (const [name, block] of this.blocks) {
      if (names.has(name)) continue;
      block.element.remove();
      this.blocks.delete(name);
    }
    for (const column of shown) this.block(column.name).paint({ row, column, frame, rejected, width: this.width });
  }

  private block(name: string): Block {
    let block = this.blocks.get(name);
    if (block === undefined) {
      block = new Block(name);
      this.blocks.set(name, block);
      this.list.append(block.element);
    }
    return block;
  }
}

interface Drawing {
  readonly row: Row;
  readonly column: Column;
  readonly frame: Frame;
  readonly rejected: readonly number[];
  readonly width: number;
}

class Block {
  readonly element: HTMLElement;
  private readonly label = make("h3");
  private readonly value = make("p", { class: "measure-value" });
  private readonly range = make("p", { class: "measure-range" });
  private readonly canvas = make("canvas", { role: "img", class: "measure-chart" });

  constructor(name: string) {
    this.canvas.style.height = `${HEIGHT}px`;
    this.element = make("li", { "data-measure": name }, this.label, this.value, this.range, this.canvas);
  }

  paint({ row, column, frame, rejected, width }: Drawing): void {
    setText(this.label, column.label);
    setText(this.value, withUnit(formatCell(row.device, column), column));
    setText(this.range, column.kind === "number" ? validRange(column) : validWords(column));
    // Words have no line.
    const isDrawn = column.kind === "number";
    if (this.canvas.hidden === isDrawn) this.canvas.hidden = !isDrawn;
    if (isDrawn) this.draw({ row, column, frame, rejected, width });
  }

  private draw({ row, column, frame, rejected, width }: Drawing): void {
    const times = timeRange(frame);
    const points = pointsOf(lineOf(row, 0, frame.history), column.name, { low: times.low, high: frame.until });
    setAttribute(this.canvas, "aria-label", describe(points, column));
    const context = prepareCanvas(this.canvas, width, HEIGHT);
    if (context === null || width < 120) return;
    const size = { width, height: HEIGHT };
    const plot = new Plot(context, frame.palette, { times, values: valueAxis(points, VALUE_TICKS), size, margin: MARGIN });
    plot.grid();
    plot.line(points, frame.palette.accent);
    plot.moments(rejected, frame.palette.amber);
  }
}

/** The valid range in words; empty when every number is valid. Pure. */
export function validRange(column: Pick<Column, "min" | "max" | "unit">): string {
  const { min, max } = column;
  if (min === null && max === null) return "";
  if (min === null) return `valid up to ${withUnit(bound(max), column)}`;
  if (max === null) return `valid from ${withUnit(bound(min), column)}`;
  return `valid ${bound(min)} to ${withUnit(bound(max), column)}`;
}

/** The valid texts in words; empty when every text is valid. Pure. */
export function validWords({ values }: Pick<Column, "values">): string {
  return values.length === 0 ? "" : `valid: ${values.join(", ")}`;
}

function bound(value: number | null): string {
  return value === null ? "" : formatValue(value, Number.isInteger(value) ? 0 : 2);
}

function withUnit(value: string, { unit }: Pick<Column, "unit">): string {
  return unit === "" ? value : `${value} ${unit}`;
}

function describe(points: readonly Point[], column: Column): string {
  const [low, high] = [Math.min, Math.max].map((extreme) => points.reduce((best, { value }) => extreme(best, value), points[0]?.value ?? NaN));
  if (points.length === 0) return `${column.label}: no report in this window`;
  const said = (value: number | undefined): string => formatValue(value, column.decimals);
  return withUnit(`${column.label} between ${said(low)} and ${said(high)}`, column);
}
