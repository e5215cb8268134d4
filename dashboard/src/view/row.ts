/** One row of the device table. It changes only the cells whose text has changed. */
import type { Row } from "../core/fleet";
import { conditionOf, freshnessOf } from "../core/freshness";
import { placeOf } from "../core/selection";
import { sourceLabel, sourceOf } from "../core/source";
import { isUnreadable, type Device } from "../core/wire";
import { make, setAttribute, setText } from "./dom";
import { DEVICE, STATE, TREND, type Field } from "./fields";
import type { Frame } from "./frame";
import { Shape } from "./shape";
import { drawSpark, lastValues, SPARK_HEIGHT, SPARK_WIDTH } from "./spark";

export class RowView {
  readonly element = make("tr", { role: "row" });
  readonly checkbox = make("input", { type: "checkbox", tabindex: "-1" });
  /** Opens the drawer. */
  readonly name = make("button", { type: "button", class: "device-name", tabindex: "-1", "aria-haspopup": "dialog" });
  private readonly state = new Shape();
  private readonly spark = make("canvas", { class: "spark", width: "0", height: "0", "aria-hidden": "true" });
  /** In place of the values of a state that the service cannot read. */
  private readonly problem = make("td", { role: "cell", class: "problem", "data-field": "problem", hidden: "" });
  private readonly cells: { readonly field: Field; readonly cell: HTMLElement }[] = [];
  private device = "";
  /** Names what the sparkline shows. */
  private drawn = "";

  constructor(fields: readonly Field[]) {
    this.spark.style.width = `${SPARK_WIDTH}px`;
    this.spark.style.height = `${SPARK_HEIGHT}px`;
    for (const field of fields) this.element.append(this.cell(field));
    // Before the last cell, which the style sheet treats differently.
    this.element.lastElementChild?.before(this.problem);
  }

  get id(): string {
    return this.device;
  }

  paint(row: Row, index: number, frame: Frame): void {
    const { id } = row.device;
    if (id !== this.device) this.switchTo(id);
    setAttribute(this.element, "aria-rowindex", `${index + 2}`);
    setAttribute(this.element, "data-freshness", freshnessOf(row, frame.judgedAt));
    setAttribute(this.name, "aria-expanded", `${frame.opened === id}`);
    this.state.paint(conditionOf(row, frame.judgedAt));
    this.paintProblem(row.device);
    this.paintPlace(placeOf(frame.selection, id));
    for (const { field, cell } of this.cells) if (field.text !== null) setText(cell, field.text(row, frame));
    this.paintSpark(frame);
  }

  private switchTo(id: string): void {
    this.device = id;
    this.drawn = "";
    this.element.dataset["device"] = id;
    const label = sourceLabel(sourceOf(id));
    this.checkbox.setAttribute("aria-label", `${label} in the chart`);
    this.name.title = label;
    setText(this.name, label);
  }

  private paintProblem(device: Device): void {
    const isShown = isUnreadable(device);
    if (this.problem.hidden === isShown) this.problem.hidden = !isShown;
    setText(this.problem, isShown ? (device.problem ?? "") : "");
    // Of a state that can be read, only a part is wrong.
    setAttribute(this.state.element, "title", device.problem ?? "");
  }

  private paintPlace(place: number): void {
    if (this.checkbox.checked !== place >= 0) this.checkbox.checked = place >= 0;
    setAttribute(this.element, "data-place", place >= 0 ? `${place}` : "");
  }

  private paintSpark({ history, chosen, palette, until }: Frame): void {
    const series = history.of(this.device);
    const last = series?.indexAt(until) ?? -1;
    const key = `${chosen?.name ?? ""} ${series?.ordinal(last) ?? 0} ${palette.muted} ${window.devicePixelRatio}`;
    if (key === this.drawn) return;
    this.drawn = key;
    drawSpark(this.spark, lastValues(series, chosen?.name, last), palette);
  }

  private cell(field: Field): HTMLElement {
    if (field.field === DEVICE.field) {
      const mark = make("label", { class: "pick" }, this.checkbox, make("span", { class: "mark", "aria-hidden": "true" }));
      return make("th", { scope: "row", role: "rowheader", "data-field": field.field }, make("div", { class: "device" }, mark, this.name));
    }
    const cell = make("td", { role: "cell", "data-field": field.field, class: field.align });
    if (field.field === STATE.field) cell.append(this.state.element);
    if (field.field === TREND.field) cell.append(this.spark);
    this.cells.push({ field, cell });
    return cell;
  }
}
