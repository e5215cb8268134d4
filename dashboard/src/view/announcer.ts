/** Tells people who use a screen reader what has changed, in one sentence and not too often. */
import { plural } from "../core/format";
import { byId, setText } from "./dom";
import type { Frame } from "./frame";

/** The state of the link is announced at once, everything else at most this often. */
const SUMMARY_EVERY = 30_000;

export class Announcer {
  private readonly region = byId("announcer", HTMLParagraphElement);
  private link = "";
  private summary = "";
  private toldAt = -Infinity;

  paint(frame: Frame): void {
    const summary = summaryOf(frame);
    const linkChanged = frame.link.name !== this.link;
    const due = frame.now - this.toldAt >= SUMMARY_EVERY && summary !== this.summary;
    if (frame.waiting !== null || (!linkChanged && !due)) return;
    this.link = frame.link.name;
    this.summary = summary;
    this.toldAt = frame.now;
    setText(this.region, summary);
  }
}

/** Only what matters and changes rarely, not the figures that change all the time. */
export function summaryOf({ link, fleet, census }: Pick<Frame, "link" | "fleet" | "census">): string {
  if (link.name !== "live") return `Link ${link.name}. ${link.problem?.what ?? ""}`.trim();
  const parts = [plural(fleet.rows.length, "device")];
  for (const trouble of ["late", "stale", "lost", "damaged"] as const) if (census[trouble] > 0) parts.push(`${census[trouble]} ${trouble}`);
  return `Link live, ${parts.join(", ")}.`;
}
