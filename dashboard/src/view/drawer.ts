/**
 * One device, or one of its modules or components, in detail: how it reports, each measurement with its line, and its rejected readings. On a wide screen it is
 * beside the table, which can still be used. On a narrow screen it is a modal dialog.
 */
import type { Row } from "../core/fleet";
import { formatAge, formatInterval, formatMoment, formatWhole, MISSING } from "../core/format";
import { conditionOf } from "../core/freshness";
import { isPart, sourceLabel, sourceOf } from "../core/source";
import type { RejectedSource } from "../link/rejected";
import { describeReports } from "./device-words";
import { byId, make, setText } from "./dom";
import type { Frame } from "./frame";
import { Measures } from "./measures";
import { RejectedReadings } from "./rejected";
import { Shape } from "./shape";

/** Four times a second: what changes faster cannot be followed. */
const REPAINT_EVERY = 250;

export interface DrawerEvents {
  close(): void;
  /** Something other than the data has changed what is visible. */
  repaint(): void;
}

export class Drawer {
  private readonly dialog = byId("drawer", HTMLDialogElement);
  private readonly title = byId("drawer-title", HTMLHeadingElement);
  private readonly reports = byId("drawer-reports", HTMLParagraphElement);
  private readonly details = byId("drawer-details", HTMLElement);
  private readonly facts = new Facts();
  private readonly shape = new Shape();
  private readonly measures: Measures;
  private readonly rejected: RejectedReadings;
  /** As in the style sheet. */
  private readonly narrow = matchMedia("(max-width: 720px)");
  private device: string | null = null;
  /** The last known row. It is still shown when the device has left the table. */
  private row: Row | null = null;
  private paintedAt = -Infinity;
  private urgent = true;

  constructor(source: RejectedSource, private readonly events: DrawerEvents) {
    this.measures = new Measures(() => this.repaint());
    this.rejected = new RejectedReadings(source, () => this.repaint());
    byId("drawer-state", HTMLDivElement).prepend(this.shape.element);
    byId("drawer-close", HTMLButtonElement).addEventListener("click", () => events.close());
    this.dialog.addEventListener("cancel", (event) => this.onCancel(event));
    document.addEventListener("keydown", (event) => this.onKey(event));
    this.narrow.addEventListener("change", () => this.reopen());
  }

  /** Makes the next paint draw at once, because something other than the data has changed. */
  refresh(): void {
    this.urgent = true;
  }

  paint(frame: Frame): void {
    if (frame.opened !== this.device) this.switchTo(frame.opened);
    if (this.device === null) return;
    if (!this.urgent && Math.abs(frame.now - this.paintedAt) < REPAINT_EVERY) return;
    this.urgent = false;
    this.paintedAt = frame.now;
    const listed = frame.fleet.rows[frame.fleet.slots.get(this.device) ?? -1];
    this.row = listed ?? this.row;
    this.paintReports(frame, listed === undefined);
    this.details.hidden = this.row === null;
    if (this.row === null) return;
    this.measures.paint(this.row, frame, this.rejected.times);
    this.facts.paint(this.row, frame.now);
  }

  private paintReports({ now, judgedAt, link }: Frame, gone: boolean): void {
    this.shape.element.hidden = gone;
    if (this.row !== null) this.shape.paint(conditionOf(this.row, judgedAt));
    if (!gone && this.row !== null) setText(this.reports, describeReports(this.row, now, judgedAt));
    else setText(this.reports, link.name === "live" ? GONE : "Waiting for the service …");
  }

  private switchTo(device: string | null): void {
    const wasOpen = this.device !== null;
    this.device = device;
    this.row = null;
    this.urgent = true;
    setText(this.title, device === null ? "" : sourceLabel(sourceOf(device)));
    // They are listed by device, with those of its modules and components.
    this.rejected.open(device === null ? null : sourceOf(device).deviceId);
    if (device === null) this.dialog.close();
    else if (!wasOpen) this.open();
    else this.title.focus();
  }

  private open(): void {
    if (this.narrow.matches) this.dialog.showModal();
    // Not `show()`: it looks for an element to focus, and so makes the browser lay out the page twice in one frame.
    else this.dialog.open = true;
    this.title.focus({ preventScroll: true });
  }

  private reopen(): void {
    if (this.device === null) return;
    this.dialog.close();
    this.open();
  }

  /** The Escape key in a modal dialog. The page's state decides whether it is open, so the dialog must not close by itself. */
  private onCancel(event: Event): void {
    event.preventDefault();
    this.events.close();
  }

  private onKey(event: KeyboardEvent): void {
    if (event.key !== "Escape" || this.device === null || this.dialog.matches(":modal") || event.defaultPrevented) return;
    // In a search field and with an open menu, the key already has a meaning.
    if (event.target instanceof HTMLInputElement && event.target.type === "search") return;
    if (document.querySelector(":popover-open") !== null) return;
    this.events.close();
  }

  private repaint(): void {
    this.refresh();
    this.events.repaint();
  }
}

const GONE = "This device is not among those that are followed now: it was removed, or it is in another area. Its last known state is shown.";

/** What is known of the device besides its measurements. */
class Facts {
  private readonly list = byId("facts", HTMLDListElement);
  private readonly values = new Map<string, HTMLElement>();

  paint({ device, interval }: Row, now: number): void {
    const ago = (time: number | null): string => (time === null ? MISSING : `${formatAge(now - time)} ago, ${formatMoment(time)}`);
    this.set("device", "Device", isPart(device) ? device.deviceId : "");
    this.set("module", "Module", device.module);
    this.set("component", "Component", device.component);
    this.set("area", "Area", device.area || MISSING);
    this.set("count", "Readings counted", device.count === null ? MISSING : formatWhole(device.count));
    this.set("version", "Version", formatWhole(device.version));
    this.set("reported", "Last report", ago(device.reportedAt));
    this.set("measured", "Values measured", device.measuredAt === null ? "" : ago(device.measuredAt));
    this.set("changed", "Values changed", ago(device.changedAt));
    this.set("interval", "Usual interval", interval === null ? "not known yet" : formatInterval(interval));
  }

  /** A fact without a value is not shown. */
  private set(name: string, label: string, value: string): void {
    let element = this.values.get(name);
    if (element === undefined) {
      element = make("dd", { "data-fact": name });
      this.values.set(name, element);
      this.list.append(make("div", {}, make("dt", {}, label), element));
    }
    setText(element, value);
    const isHidden = value === "";
    if (element.parentElement !== null && element.parentElement.hidden !== isHidden) element.parentElement.hidden = isHidden;
  }
}
