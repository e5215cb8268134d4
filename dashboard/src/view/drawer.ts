/**
 * One device close up: how it reports, each measurement with its line, and the readings that were refused. Beside the table
 * where there is room, and then the table stays in use; over everything on a narrow screen, as a modal dialog.
 */
import type { Row } from "../core/fleet";
import { formatAge, formatInterval, formatMoment, formatWhole, MISSING } from "../core/format";
import { conditionOf } from "../core/freshness";
import type { RefusalSource } from "../link/refusals";
import { describeReports } from "./device-words";
import { byId, make, setText } from "./dom";
import type { Frame } from "./frame";
import { Measures } from "./measures";
import { Refusals } from "./refusals";
import { Shape } from "./shape";

/** Four times a second is as often as an eye follows. */
const REPAINT_EVERY = 250;

export interface DrawerEvents {
  close(): void;
  /** Something but data changed what is visible. */
  moved(): void;
}

export class Drawer {
  private readonly dialog = byId("drawer", HTMLDialogElement);
  private readonly title = byId("drawer-title", HTMLHeadingElement);
  private readonly reports = byId("drawer-reports", HTMLParagraphElement);
  private readonly details = byId("drawer-details", HTMLElement);
  private readonly facts = new Facts();
  private readonly shape = new Shape();
  private readonly measures: Measures;
  private readonly refusals: Refusals;
  /** As in the style sheet. */
  private readonly narrow = matchMedia("(max-width: 720px)");
  private device: string | null = null;
  /** As it was last known: a device that leaves the table does not leave the drawer empty. */
  private row: Row | null = null;
  private paintedAt = -Infinity;
  private urgent = true;

  constructor(source: RefusalSource, private readonly events: DrawerEvents) {
    this.measures = new Measures(() => this.stir());
    this.refusals = new Refusals(source, () => this.stir());
    byId("drawer-state", HTMLDivElement).prepend(this.shape.element);
    byId("drawer-close", HTMLButtonElement).addEventListener("click", () => events.close());
    this.dialog.addEventListener("cancel", (event) => this.onCancel(event));
    document.addEventListener("keydown", (event) => this.onKey(event));
    this.narrow.addEventListener("change", () => this.reopen());
  }

  /** The next paint must not wait: something other than data has changed. */
  refresh(): void {
    this.urgent = true;
  }

  paint(frame: Frame): void {
    if (frame.opened !== this.device) this.become(frame.opened);
    if (this.device === null) return;
    if (!this.urgent && Math.abs(frame.now - this.paintedAt) < REPAINT_EVERY) return;
    this.urgent = false;
    this.paintedAt = frame.now;
    const listed = frame.fleet.rows[frame.fleet.slots.get(this.device) ?? -1];
    this.row = listed ?? this.row;
    this.paintReports(frame, listed === undefined);
    this.details.hidden = this.row === null;
    if (this.row === null) return;
    this.measures.paint(this.row, frame, this.refusals.times);
    this.facts.paint(this.row, frame.now);
  }

  private paintReports({ now, judgedAt, link }: Frame, gone: boolean): void {
    this.shape.element.hidden = gone;
    if (this.row !== null) this.shape.paint(conditionOf(this.row, judgedAt));
    if (!gone && this.row !== null) setText(this.reports, describeReports(this.row, now, judgedAt));
    else setText(this.reports, link.name === "live" ? GONE : "Waiting for the service …");
  }

  private become(device: string | null): void {
    const wasOpen = this.device !== null;
    this.device = device;
    this.row = null;
    this.urgent = true;
    setText(this.title, device ?? "");
    this.refusals.open(device);
    if (device === null) this.dialog.close();
    else if (!wasOpen) this.open();
    else this.title.focus();
  }

  private open(): void {
    if (this.narrow.matches) this.dialog.showModal();
    // Not `show`, which looks for something to focus and has everything laid out for that, twice in one frame.
    else this.dialog.open = true;
    this.title.focus({ preventScroll: true });
  }

  private reopen(): void {
    if (this.device === null) return;
    this.dialog.close();
    this.open();
  }

  /** The browser's own way out of a modal dialog; the page's state decides, not the dialog's. */
  private onCancel(event: Event): void {
    event.preventDefault();
    this.events.close();
  }

  private onKey(event: KeyboardEvent): void {
    if (event.key !== "Escape" || this.device === null || this.dialog.matches(":modal") || event.defaultPrevented) return;
    // There the key already means something else.
    if (event.target instanceof HTMLInputElement && event.target.type === "search") return;
    if (document.querySelector(":popover-open") !== null) return;
    this.events.close();
  }

  private stir(): void {
    this.refresh();
    this.events.moved();
  }
}

const GONE = "It is not among the devices that are followed now: it was removed, or it is in another area. This is how it was last seen.";

/** What is known of the device beside its measurements. */
class Facts {
  private readonly list = byId("facts", HTMLDListElement);
  private readonly values = new Map<string, HTMLElement>();

  paint({ device, interval }: Row, now: number): void {
    const ago = (time: number | null): string => (time === null ? MISSING : `${formatAge(now - time)} ago, ${formatMoment(time)}`);
    this.say("area", "Area", device.area || MISSING);
    this.say("count", "Readings counted", device.count === null ? MISSING : formatWhole(device.count));
    this.say("version", "Version", formatWhole(device.version));
    this.say("reported", "Last report", ago(device.reportedAt));
    this.say("changed", "Values changed", ago(device.changedAt));
    this.say("interval", "Usual interval", interval === null ? "not known yet" : formatInterval(interval));
  }

  private say(name: string, label: string, value: string): void {
    let element = this.values.get(name);
    if (element === undefined) {
      element = make("dd", { "data-fact": name });
      this.values.set(name, element);
      this.list.append(make("div", {}, make("dt", {}, label), element));
    }
    setText(element, value);
  }
}
