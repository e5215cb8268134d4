/** The controls of measurement, window, filter and condition, and the text that is shown when no device is listed. */
import { formatClock, formatWhole, plural } from "../core/format";
import { isMoving, type Show } from "../core/order";
import { byId, make, setAttribute, setText } from "./dom";
import type { Frame } from "./frame";

export interface ControlEvents {
  measure(name: string): void;
  span(milliseconds: number): void;
  filter(text: string): void;
  show(show: Show): void;
  /** Follow every area. */
  everywhere(): void;
}

/** In the order of the buttons. */
const MEANING: Readonly<Record<Show, string>> = {
  all: "Every device",
  live: "Report as they usually do",
  steady: "Report as usual, but their values have not changed for ten reports or more",
  late: "Missed about three of their usual reports",
  stale: "Missed about ten of their usual reports",
  lost: "Missed about thirty of their usual reports",
  damaged: "The service cannot read their stored state",
  unknown: "Their reports have no time",
};

export class Controls {
  private readonly measurement = byId("measurement", HTMLSelectElement);
  private readonly window = byId("window", HTMLSelectElement);
  private readonly filter = byId("filter", HTMLInputElement);
  private readonly chips = byId("chips", HTMLDivElement);
  private readonly note = byId("table-note", HTMLSpanElement);
  private readonly plot = byId("plot", HTMLElement);
  private readonly toolbar = byId("toolbar", HTMLDivElement);
  private readonly plotNote = byId("plot-note", HTMLSpanElement);
  private readonly empty = byId("empty", HTMLDivElement);
  private options = "";
  private emptiness = "";

  constructor(private readonly events: ControlEvents) {
    this.measurement.addEventListener("change", () => events.measure(this.measurement.value));
    this.window.addEventListener("change", () => events.span(Number(this.window.value)));
    this.filter.addEventListener("input", () => events.filter(this.filter.value));
    for (const [show, meaning] of Object.entries(MEANING)) this.chips.append(this.chip(show as Show, meaning));
  }

  paint(frame: Frame): void {
    const nothing = frame.fleet.rows.length === 0;
    if (this.plot.hidden !== nothing) this.plot.hidden = nothing;
    // Without a device in the areas that are followed, others can still be chosen.
    const idle = nothing && frame.following.areas.length === 0;
    if (this.toolbar.hidden !== idle) this.toolbar.hidden = idle;
    this.paintMeasurements(frame);
    this.paintChips(frame);
    if (this.filter.value.trim() !== frame.query.text.trim()) this.filter.value = frame.query.text;
    setText(this.note, noteOf(frame));
    setText(this.plotNote, plotNote(frame));
    this.paintEmpty(frame);
  }

  /** Words cannot be drawn as a line. */
  private paintMeasurements({ columns: all, chosen }: Frame): void {
    const columns = all.filter(({ kind }) => kind === "number");
    const options = columns.map(({ name, label }) => `${name}=${label}`).join();
    if (options !== this.options) {
      this.options = options;
      this.measurement.replaceChildren(...columns.map(({ name, label }) => make("option", { value: name }, label)));
    }
    this.measurement.disabled = columns.length === 0;
    if (chosen !== null && this.measurement.value !== chosen.name) this.measurement.value = chosen.name;
  }

  private paintChips({ census, fleet, query }: Frame): void {
    for (const chip of this.chips.children) {
      const show = (chip as HTMLElement).dataset["show"] as Show;
      const count = show === "all" ? fleet.rows.length : census[show];
      setText(chip, `${show} ${formatWhole(count)}`);
      setAttribute(chip, "aria-pressed", `${query.show === show}`);
      setAttribute(chip, "data-some", `${count > 0}`);
    }
  }

  private chip(show: Show, meaning: string): HTMLElement {
    const chip = make("button", { type: "button", "data-show": show, title: meaning });
    chip.addEventListener("click", () => this.events.show(show));
    return chip;
  }

  private paintEmpty(frame: Frame): void {
    const kind = emptinessOf(frame);
    if (kind === this.emptiness) return;
    this.emptiness = kind;
    this.empty.hidden = kind === "";
    this.empty.replaceChildren(...this.emptyContent(kind));
  }

  private emptyContent(kind: Emptiness): readonly Node[] {
    switch (kind) {
      case "":
        return [];
      case "loading":
        return [make("p", {}, "Waiting for the service …")];
      case "none":
        return [
          make("p", { class: "empty-title" }, "No device has reported yet"),
          make("p", {}, "Send a first reading from a terminal, and it appears here:"),
          make("pre", {}, make("code", {}, SEND)),
          make("p", {}, "Or connect a device to the IoT hub. This page is listening; there is nothing to reload."),
        ];
      case "unmatched": {
        const clear = make("button", { type: "button" }, "Show every device");
        clear.addEventListener("click", () => {
          this.events.filter("");
          this.events.show("all");
        });
        return [make("p", { class: "empty-title" }, "No device matches"), make("p", {}, clear)];
      }
      case "elsewhere": {
        const everywhere = make("button", { type: "button" }, "Follow all areas");
        everywhere.addEventListener("click", () => this.events.everywhere());
        return [make("p", { class: "empty-title" }, "No device has reported from the areas that are followed"), make("p", {}, everywhere)];
      }
    }
  }
}

/** Works when copied into a terminal. */
const SEND = `cargo dev send --device sensor-1 '{"temperature":21.5}'`;

type Emptiness = "" | "loading" | "none" | "unmatched" | "elsewhere";

function emptinessOf({ fleet, order, link, following }: Frame): Emptiness {
  if (fleet.rows.length === 0) {
    if (link.name !== "live") return "loading";
    return following.areas.length > 0 ? "elsewhere" : "none";
  }
  return order.length === 0 ? "unmatched" : "";
}

function plotNote({ chosen, since: start }: Frame): string {
  if (chosen === null) return "";
  const since = `since ${formatClock(start)}, when this page was opened`;
  return chosen.unit === "" ? since : `in ${chosen.unit}, ${since}`;
}

function noteOf({ order, fleet, held, query, waiting, now }: Frame): string {
  const parts: string[] = [];
  if (waiting !== null) parts.push(`paused at ${formatClock(now)}`);
  if (order.length !== fleet.rows.length) parts.push(`${formatWhole(order.length)} of ${plural(fleet.rows.length, "device")}`);
  if (waiting === null && held && isMoving(query)) parts.push("order held while you read");
  return parts.join(" · ");
}
