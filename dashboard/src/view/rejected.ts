/** In the drawer: what was rejected of the device, loaded when the drawer opens and on request. */
import { formatMoment } from "../core/format";
import { joinPages, type RejectedReading, type RejectedPage, type Sample } from "../core/rejected";
import { loadRejected, type Failure, type RejectedSource } from "../link/rejected";
import { describeElements, describeFailure, describeReason } from "./device-words";
import { byId, make, setText } from "./dom";

export class RejectedReadings {
  private readonly status = byId("rejected-status", HTMLParagraphElement);
  private readonly list = byId("rejected-list", HTMLOListElement);
  private readonly more = byId("rejected-more", HTMLButtonElement);
  private device: string | null = null;
  private page: RejectedPage | null = null;
  private asking: AbortController | null = null;

  /** `onChange` is called when other readings are listed. */
  constructor(
    private readonly source: RejectedSource,
    private readonly onChange: () => void,
  ) {
    byId("rejected-refresh", HTMLButtonElement).addEventListener("click", () => void this.load(null));
    this.more.addEventListener("click", () => void this.load(this.page));
  }

  /** When the listed readings reached the hub. */
  get times(): readonly number[] {
    return this.page?.readings.flatMap(({ enqueuedAt }) => enqueuedAt ?? []) ?? [];
  }

  /** Shows another device, or none. */
  open(device: string | null): void {
    this.device = device;
    this.page = null;
    this.list.replaceChildren();
    this.more.hidden = true;
    this.asking?.abort();
    if (device !== null) void this.load(null);
  }

  /** Loads the page that follows `after` and adds it; `null` begins again with the newest readings. */
  private async load(after: RejectedPage | null): Promise<void> {
    if (this.device === null) return;
    this.asking?.abort();
    const asking = new AbortController();
    this.asking = asking;
    setText(this.status, "Asking the service …");
    const wanted = { deviceId: this.device, continuation: after?.continuation ?? null };
    const answer = await loadRejected(this.source, wanted, asking.signal);
    if (asking.signal.aborted) return;
    if ("kind" in answer) this.fail(answer);
    else this.show(after === null ? answer : joinPages(after, answer));
  }

  /** The readings that are listed stay. */
  private fail(failure: Failure): void {
    setText(this.status, describeFailure(failure, this.source.base));
  }

  private show(page: RejectedPage): void {
    this.page = page;
    const { readings, continuation } = page;
    this.list.replaceChildren(...readings.map(entry));
    setText(this.status, summary(readings.length, continuation !== null));
    if (continuation === null && document.activeElement === this.more) this.status.focus();
    this.more.hidden = continuation === null;
    this.onChange();
  }
}

function summary(count: number, more: boolean): string {
  if (count === 0) return more ? "Nothing among the newest. Older ones have not been looked through." : "No reading of this device was rejected.";
  return `${more ? `The newest ${count}` : `All ${count}, newest first`}. Hollow dots in the charts show when they came.`;
}

function entry(rejected: RejectedReading): HTMLElement {
  const { reason, detail, body, position, enqueuedAt, rejectedAt, samples } = rejected;
  const elements = describeElements(rejected);
  const time = enqueuedAt ?? rejectedAt;
  const head = make("p", { class: "rejected-head" }, make("strong", {}, describeReason(reason)), make("span", {}, time === null ? "" : formatMoment(time)));
  const element = make("li", {}, head, make("p", {}, detail));
  if (elements !== "") element.append(make("p", { class: "rejected-elements" }, elements));
  if (elements !== "" && samples.length > 0) element.append(make("ul", { class: "rejected-samples", "aria-label": "The first of them" }, ...samples.map(sampleEntry)));
  // What a device sent is inserted as text, never as markup.
  if (body.kind === "text") element.append(make("pre", { tabindex: "0", "aria-label": "What the device sent" }, body.text));
  if (body.kind === "bytes") element.append(make("p", {}, "Not text; in base64:"), make("pre", { tabindex: "0", "aria-label": "What the device sent, in base64" }, body.base64));
  element.append(make("p", { class: "rejected-place" }, position));
  return element;
}

/** A sample as text, never as markup. */
function sampleEntry({ index, reason, detail, deviceId, text }: Sample): HTMLElement {
  const what = [describeReason(reason), deviceId === "" ? "" : `(${deviceId})`].filter(Boolean).join(" ");
  const element = make("li", {}, make("span", { class: "rejected-index" }, `${index}`), ` ${what}`);
  if (detail !== "") element.append(`: ${detail}`);
  if (text !== "") element.append(" ", make("code", {}, text));
  return element;
}
