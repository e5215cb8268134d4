/**
 * The device table. It is a table element, of which only the visible rows are in the document.
 *
 * Scripts and tests can rely on these names:
 * - `[data-testid="link-state"]` with `data-state` = `live`, `catching up`, `stale` or `offline`;
 * - `[data-testid="device-count"]`, `[data-testid="update-rate"]`, `[data-testid="last-message"]`: the figures on top;
 * - `[data-testid="notice"]`: the problem in words, `hidden` while there is none; `[data-testid="empty"]`: no device is listed;
 * - `tr[data-device="sensor-1"]`: a row, with `data-freshness` = `live`, `late`, `stale`, `lost`, `damaged` or `unknown`; its `button`
 *   opens the drawer, `#drawer`;
 * - `th[data-field="device"]` in a row, and `td[data-field="…"]` with `state` (the condition in a word), `area`, `count`, `trend`,
 *   `age`, `steady`, or the name of a measurement, e.g. `temperature`;
 * - a source finer than a device has `data-device="device|module|component"` (`core/source.ts`); `td[data-field="problem"]` says
 *   why a state cannot be read; `[data-testid="remark"]`: what somebody asked for and did not get;
 * - `button[data-sort="device"]` (`state`, `area`, `count`, `age`, `steady`, `value:temperature`) in the headings.
 *
 * With many devices, filter before looking for a row: those far from the visible part are not in the document.
 */
import { sameColumns, type Column } from "../core/columns";
import type { Sort, SortKey } from "../core/order";
import { isPart, sourceOf } from "../core/source";
import { byId, make, setAttribute } from "./dom";
import { fieldsOf, type Field, type Names, type Screen } from "./fields";
import type { Frame } from "./frame";
import { RowView } from "./row";
import { visibleSlice, type Slice } from "./window";

export interface TableEvents {
  sort(key: SortKey): void;
  toggle(id: string): void;
  /** Shows the device in the drawer. */
  open(id: string): void;
  /** Something other than the data has changed what is visible. */
  repaint(): void;
}

export class DeviceTable {
  private readonly scroller = byId("scroller", HTMLDivElement);
  private readonly table: HTMLTableElement;
  private readonly headings = byId("headings", HTMLTableRowElement);
  private readonly body = byId("rows", HTMLTableSectionElement);
  private readonly above = spacer("space-above");
  private readonly below = spacer("space-below");
  private columns: readonly Column[] | null = null;
  private fields: readonly Field[] = [];
  private screen: Screen = "wide";
  private names: Names = "short";
  private named: Frame["fleet"]["slots"] | null = null;
  /** As in the style sheet. */
  private readonly narrow = matchMedia("(max-width: 720px)");
  private views = new Map<string, RowView>();
  private order: readonly string[] = [];
  private last: Frame | null = null;
  /** The device whose row the Tab key leads to. */
  private active = "";
  private viewport = { scrollTop: 0, height: 600, rowHeight: 28 };

  constructor(private readonly events: TableEvents) {
    const table = this.scroller.querySelector("table");
    if (table === null) throw new Error("the page has no table");
    this.table = table;
    this.scroller.addEventListener("scroll", () => this.measureScroll(), { passive: true });
    this.scroller.addEventListener("keydown", (event) => this.onKey(event));
    this.headings.addEventListener("click", (event) => this.onHeading(event));
    this.body.addEventListener("change", (event) => this.onChange(event));
    this.body.addEventListener("click", (event) => this.onClick(event));
    this.body.addEventListener("focusin", (event) => this.activate(rowOf(event.target)));
    const resized = new ResizeObserver(() => this.measureBox());
    // The table as well: its width depends on its columns.
    for (const element of [this.scroller, this.table]) resized.observe(element);
  }

  paint(frame: Frame): void {
    this.last = frame;
    this.paintColumns(frame);
    paintSort(this.headings, frame.query.sort);
    this.order = frame.order;
    const slice = visibleSlice(this.order.length, this.viewport);
    this.paintSpace(slice);
    this.paintRows(slice, frame);
    setAttribute(this.table, "aria-rowcount", `${this.order.length + 1}`);
    this.table.hidden = frame.fleet.rows.length === 0;
  }

  private paintColumns({ columns, fleet }: Frame): void {
    const screen = this.narrow.matches ? "narrow" : "wide";
    const names = this.namesIn(fleet.slots);
    if (this.columns !== null && screen === this.screen && names === this.names && sameColumns(this.columns, columns)) return;
    this.columns = columns;
    this.screen = screen;
    this.names = names;
    this.fields = fieldsOf(columns, screen, names);
    this.views.clear();
    this.body.replaceChildren();
    this.headings.replaceChildren(...this.fields.map(heading));
    // Each column has at least its width; the rest is shared in proportion.
    this.table.style.setProperty("--columns", this.fields.map(({ width }) => `minmax(${width}ch, ${width}fr)`).join(" "));
    this.table.style.minWidth = `${this.fields.reduce((sum, field) => sum + field.width, 0)}ch`;
  }

  /** Stays long, so that the columns do not move back and forth. */
  private namesIn(slots: Frame["fleet"]["slots"]): Names {
    if (slots === this.named || this.names === "long") return this.names;
    this.named = slots;
    for (const id of slots.keys()) if (isPart(sourceOf(id))) return "long";
    return "short";
  }

  private paintSpace({ from, to }: Slice): void {
    const { rowHeight } = this.viewport;
    setHeight(this.above, from * rowHeight);
    setHeight(this.below, (this.order.length - to) * rowHeight);
  }

  private paintRows({ from, to }: Slice, frame: Frame): void {
    // The order may be a little older than the fleet.
    const wanted = this.order.slice(from, to).filter((id) => frame.fleet.slots.has(id));
    const free = this.release(new Set(wanted));
    let place: Element | null = this.body.firstElementChild;
    const views = new Map<string, RowView>();
    wanted.forEach((id, offset) => {
      const row = frame.fleet.rows[frame.fleet.slots.get(id) ?? -1];
      if (row === undefined) return;
      const view = this.views.get(id) ?? free.pop() ?? new RowView(this.fields);
      view.paint(row, from + offset, frame);
      views.set(id, view);
      if (view.element === place) place = place.nextElementSibling;
      else this.body.insertBefore(view.element, place);
    });
    for (const unused of free) unused.element.remove();
    this.views = views;
    this.paintTabStop();
  }

  /** The rows that are no longer visible, to be used again. If one of them has the focus, it moves to the table. */
  private release(wanted: ReadonlySet<string>): RowView[] {
    const free = [...this.views.values()].filter((view) => !wanted.has(view.id));
    if (free.some((view) => view.element.contains(document.activeElement))) this.scroller.focus({ preventScroll: true });
    return free;
  }

  private paintTabStop(): void {
    const reachable = this.views.has(this.active) ? this.active : (this.views.keys().next().value ?? "");
    for (const [id, { checkbox, name }] of this.views) {
      const tabIndex = id === reachable ? 0 : -1;
      if (checkbox.tabIndex !== tabIndex) checkbox.tabIndex = name.tabIndex = tabIndex;
    }
  }

  private onHeading({ target }: Event): void {
    const button = target instanceof Element ? target.closest<HTMLElement>("[data-sort]") : null;
    if (button !== null) this.events.sort(button.dataset["sort"] as SortKey);
  }

  private onChange({ target }: Event): void {
    const id = rowOf(target);
    if (id !== "") this.events.toggle(id);
  }

  /** A click anywhere in the row opens the device, except on the checkbox. */
  private onClick({ target }: Event): void {
    if (target instanceof Element && target.closest("label") !== null) return;
    const id = rowOf(target);
    if (id !== "") this.events.open(id);
  }

  private activate(id: string): void {
    this.active = id;
    this.paintTabStop();
  }

  private onKey(event: KeyboardEvent): void {
    if (event.target instanceof Element && this.headings.contains(event.target)) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter" && event.target instanceof HTMLInputElement) return this.events.open(rowOf(event.target));
    const target = this.keyTarget(event.key);
    if (target === null || this.order.length === 0) return;
    event.preventDefault();
    this.focusRow(Math.min(Math.max(target, 0), this.order.length - 1));
  }

  private keyTarget(key: string): number | null {
    const at = this.order.indexOf(this.active);
    const page = Math.max(1, Math.floor(this.viewport.height / this.viewport.rowHeight) - 2);
    switch (key) {
      case "ArrowDown":
        return at + 1;
      case "ArrowUp":
        return at - 1;
      case "PageDown":
        return at + page;
      case "PageUp":
        return at - page;
      case "Home":
        return 0;
      case "End":
        return this.order.length - 1;
      default:
        return null;
    }
  }

  /** Moves the focus to this device, or to the table when the device is not listed. */
  focus(id: string): void {
    const index = this.order.indexOf(id);
    if (index < 0) this.scroller.focus({ preventScroll: true });
    else this.focusRow(index);
  }

  /** Scrolls the row into view, paints it and focuses it: its checkbox if a checkbox had the focus, otherwise its name. */
  private focusRow(index: number): void {
    const onCheckbox = document.activeElement instanceof HTMLInputElement;
    const { rowHeight, height, scrollTop } = this.viewport;
    const [top, bottom] = [index * rowHeight, (index + 1) * rowHeight];
    if (top < scrollTop) this.scroller.scrollTop = top;
    else if (bottom > scrollTop + height) this.scroller.scrollTop = bottom - height;
    this.active = this.order[index] ?? "";
    this.measureScroll();
    if (this.last !== null) this.paint(this.last);
    const view = this.views.get(this.active);
    (onCheckbox ? view?.checkbox : view?.name)?.focus({ preventScroll: true });
  }

  private measureScroll(): void {
    this.viewport = { ...this.viewport, scrollTop: this.scroller.scrollTop };
    this.events.repaint();
  }

  private measureBox(): void {
    const rowHeight = parseFloat(getComputedStyle(this.scroller).getPropertyValue("--row")) || this.viewport.rowHeight;
    const height = Math.max(rowHeight, this.scroller.clientHeight - this.headings.offsetHeight);
    this.viewport = { ...this.viewport, rowHeight, height };
    setAttribute(this.scroller, "data-sideways", `${this.scroller.scrollWidth > this.scroller.clientWidth}`);
    this.events.repaint();
  }
}

interface Spacer {
  readonly section: HTMLTableSectionElement;
  readonly cell: HTMLTableCellElement;
}

function spacer(id: string): Spacer {
  const section = byId(id, HTMLTableSectionElement);
  const cell = section.querySelector("td");
  if (cell === null) throw new Error(`the page has no cell in ${id}`);
  return { section, cell };
}

function setHeight({ section, cell }: Spacer, height: number): void {
  const wanted = `${height}px`;
  if (cell.style.height === wanted) return;
  cell.style.height = wanted;
  section.hidden = height === 0;
}

function rowOf(target: EventTarget | null): string {
  const row = target instanceof Element ? target.closest<HTMLElement>("tr[data-device]") : null;
  return row?.dataset["device"] ?? "";
}

function heading({ field, label, unit, sort, align }: Field): HTMLElement {
  const text = make("span", { class: "heading" }, label);
  if (unit !== "") text.append(" ", make("span", { class: "unit" }, unit));
  const content = sort === null ? text : make("button", { type: "button", "data-sort": sort }, text);
  // The role is explicit, because the style sheet lays the rows out as a grid.
  return make("th", { scope: "col", role: "columnheader", class: align, "data-field": field }, content);
}

function paintSort(headings: HTMLElement, sort: Sort): void {
  for (const th of headings.children) {
    const key = th.querySelector<HTMLElement>("[data-sort]")?.dataset["sort"];
    if (key === undefined) continue;
    setAttribute(th, "aria-sort", key === sort.key ? sort.direction : "none");
  }
}
