/** In the drawer: the refused readings of the device, loaded when it opens and when somebody asks. */
import { formatMoment } from "../core/format";
import { joinPages, type Refusal, type RefusalPage } from "../core/refusals";
import { loadRefusals, type Failure, type RefusalSource } from "../link/refusals";
import { describeFailure, describeReason } from "./device-words";
import { byId, make, setText } from "./dom";

/** A service that takes longer than this to answer is taken for one that does not. */
const PATIENCE = 20_000;

export class Refusals {
  private readonly status = byId("refused-status", HTMLParagraphElement);
  private readonly list = byId("refused-list", HTMLOListElement);
  private readonly more = byId("refused-more", HTMLButtonElement);
  private device: string | null = null;
  private page: RefusalPage | null = null;
  private asking: AbortController | null = null;

  /** `changed`: other readings are listed now. */
  constructor(
    private readonly source: RefusalSource,
    private readonly changed: () => void,
  ) {
    byId("refused-refresh", HTMLButtonElement).addEventListener("click", () => void this.load(null));
    this.more.addEventListener("click", () => void this.load(this.page));
  }

  /** When the listed readings reached the hub. */
  get times(): readonly number[] {
    return this.page?.refusals.flatMap(({ enqueuedAt }) => enqueuedAt ?? []) ?? [];
  }

  /** Shows another device; `null` ends whatever is under way. */
  open(device: string | null): void {
    this.device = device;
    this.page = null;
    this.list.replaceChildren();
    this.more.hidden = true;
    this.asking?.abort();
    if (device !== null) void this.load(null);
  }

  /** `after`: the pages that are listed, to add the next one; `null` starts again with the newest. */
  private async load(after: RefusalPage | null): Promise<void> {
    if (this.device === null) return;
    this.asking?.abort();
    const asking = new AbortController();
    this.asking = asking;
    setText(this.status, "Asking the service …");
    const wanted = { deviceId: this.device, continuation: after?.continuation ?? null };
    const answer = await loadRefusals(this.source, wanted, AbortSignal.any([asking.signal, AbortSignal.timeout(PATIENCE)]));
    if (asking.signal.aborted) return;
    if ("kind" in answer) this.fail(answer);
    else this.show(after === null ? answer : joinPages(after, answer));
  }

  /** What was listed before stays. */
  private fail(failure: Failure): void {
    setText(this.status, describeFailure(failure, this.source.base));
  }

  private show(page: RefusalPage): void {
    this.page = page;
    const { refusals, continuation } = page;
    this.list.replaceChildren(...refusals.map(entry));
    setText(this.status, summary(refusals.length, continuation !== null));
    if (continuation === null && document.activeElement === this.more) this.status.focus();
    this.more.hidden = continuation === null;
    this.changed();
  }
}

function summary(count: number, more: boolean): string {
  if (count === 0) return "No reading of this device was refused.";
  return `${more ? `The newest ${count}` : `All ${count}, newest first`}. Hollow dots in the charts show when they came.`;
}

function entry({ reason, detail, body, position, enqueuedAt, refusedAt }: Refusal): HTMLElement {
  const time = enqueuedAt ?? refusedAt;
  const head = make("p", { class: "refused-head" }, make("strong", {}, describeReason(reason)), make("span", {}, time === null ? "" : formatMoment(time)));
  const element = make("li", {}, head, make("p", {}, detail));
  // Whatever a device sent is text here, never markup.
  if (body.kind === "text") element.append(make("pre", { tabindex: "0", "aria-label": "What the device sent" }, body.text));
  if (body.kind === "bytes") element.append(make("p", {}, "Not text; in base64:"), make("pre", { tabindex: "0", "aria-label": "What the device sent, in base64" }, body.base64));
  element.append(make("p", { class: "refused-place" }, position));
  return element;
}
