/** What a person sets: measurement, window, filter, freshness; and what is said when there is nothing to list. */
import { formatClock, formatWhole, plural } from "../core/format";
import type { Freshness } from "../core/freshness";
import { isMoving, type Query } from "../core/order";
import { byId, make, setAttribute, setText } from "./dom";
import type { Frame } from "./frame";

export interface ControlEvents {
  measure(name: string): void;
  span(milliseconds: number): void;
  filter(text: string): void;
  fresh(freshness: Query["freshness"]): void;
}

const CHIPS: readonly Query["freshness"][] = ["all", "live", "late", "silent"];

const MEANING: Readonly<Record<Freshness | "all", string>> = {
  all: "Every device",
  live: "Reported as they usually do",
  late: "Missed about three of their usual reports",
  silent: "Missed about ten of their usual reports",
  unknown: "Never said when they reported",
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
    for (const freshness of CHIPS) this.chips.append(this.chip(freshness));
  }

  paint(frame: Frame): void {
    const nothing = frame.fleet.rows.length === 0;
    if (this.plot.hidden !== nothing) this.plot.hidden = this.toolbar.hidden = nothing;
    this.paintMeasurements(frame);
    this.paintChips(frame);
    if (this.filter.value.trim() !== frame.query.text.trim()) this.filter.value = frame.query.text;
    setText(this.note, noteOf(frame));
    setText(this.plotNote, plotNote(frame));
    this.paintEmpty(frame);
  }

  private paintMeasurements({ columns, chosen }: Frame): void {
    const options = columns.map(({ name, label }) => `${name}=${label}`).join();
    if (options !== this.options) {
      this.options = options;
      this.measurement.replaceChildren(...columns.map(({ name, label }) => make("option", { value: name }, label)));
    }
    this.measurement.disabled = columns.length === 0;
    if (chosen !== null && this.measurement.value !== chosen.name) this.measurement.value = chosen.name;
  }

  private paintChips({ census, fleet, query }: Frame): void {
    for (const chip of this.chips.querySelectorAll<HTMLElement>("button")) {
      const freshness = chip.dataset["freshness"] as Query["freshness"];
      const count = freshness === "all" ? fleet.rows.length : census[freshness];
      setText(chip, `${freshness} ${formatWhole(count)}`);
      setAttribute(chip, "aria-pressed", `${query.freshness === freshness}`);
      setAttribute(chip, "data-some", `${count > 0}`);
    }
  }

  private chip(freshness: Query["freshness"]): HTMLElement {
    const chip = make("button", { type: "button", "data-freshness": freshness, title: MEANING[freshness] });
    chip.addEventListener("click", () => this.events.fresh(freshness));
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
          this.events.fresh("all");
        });
        return [make("p", { class: "empty-title" }, "No device matches"), make("p", {}, clear)];
      }
    }
  }
}

/** A command that works as it stands. */
const SEND = `cargo dev send --device sensor-1 '{"temperature":21.5}'`;

type Emptiness = "" | "loading" | "none" | "unmatched";

function emptinessOf({ fleet, order, link }: Frame): Emptiness {
  if (fleet.rows.length === 0) return link.name === "live" ? "none" : "loading";
  return order.length === 0 ? "unmatched" : "";
}

function plotNote({ chosen, opened }: Frame): string {
  if (chosen === null) return "";
  const since = `since ${formatClock(opened)}, when this page was opened`;
  return chosen.unit === "" ? since : `in ${chosen.unit}, ${since}`;
}

function noteOf({ order, fleet, held, query, waiting, now }: Frame): string {
  const parts: string[] = [];
  if (waiting !== null) parts.push(`paused at ${formatClock(now)}`);
  if (order.length !== fleet.rows.length) parts.push(`${formatWhole(order.length)} of ${plural(fleet.rows.length, "device")}`);
  if (waiting === null && held && isMoving(query)) parts.push("order held while you read");
  return parts.join(" · ");
}
