/** In the drawer: the rejected readings of the device, loaded when the drawer opens and on request. */
import { formatMoment } from "../core/format";
import { joinPages, type RejectedReading, type RejectedPage } from "../core/rejected";
import { loadRejected, type Failure, type RejectedSource } from "../link/rejected";
import { describeFailure, describeReason } from "./device-words";
import { byId, make, setText } from "./dom";

/** How long the service may take to answer. */
const PATIENCE = 20_000;

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
    const answer = await loadRejected(this.source, wanted, AbortSignal.any([asking.signal, AbortSignal.timeout(PATIENCE)]));
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
  if (count === 0) return "No reading of this device was rejected.";
  return `${more ? `The newest ${count}` : `All ${count}, newest first`}. Hollow dots in the charts show when they came.`;
}

function entry({ reason, detail, body, position, enqueuedAt, rejectedAt }: RejectedReading): HTMLElement {
  const time = enqueuedAt ?? rejectedAt;
  const head = make("p", { class: "rejected-head" }, make("strong", {}, describeReason(reason)), make("span", {}, time === null ? "" : formatMoment(time)));
  const element = make("li", {}, head, make("p", {}, detail));
  // What a device sent is inserted as text, never as markup.
  if (body.kind === "text") element.append(make("pre", { tabindex: "0", "aria-label": "What the device sent" }, body.text));
  if (body.kind === "bytes") element.append(make("p", {}, "Not text; in base64:"), make("pre", { tabindex: "0", "aria-label": "What the device sent, in base64" }, body.base64));
  element.append(make("p", { class: "rejected-place" }, position));
  return element;
}
